"""What all sites have in common."""

HOST, FRIEND, STRANGER = "shop.example", "https://app.example", "https://evil.example"
SECRET = "0123456789abcdef" * 2  # Litestar's cookies want 16, 24 or 32 bytes
PAGE = "".join(f"<li>Pie number {number}, of {number % 7} apples</li>" for number in range(450))  # 17 kB
CHUNKS = [f"{name} " * 40 for name in ("one", "two", "three")]
TAG = '"v1"'
