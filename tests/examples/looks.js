// What is wrong with the looks of the page as it stands: text that is too faint for its ground (WCAG 2.2, 1.4.3), controls and
// pictures that a screen reader has no name for, what sticks out to the right, and not exactly one main heading.
(least) => {
    const numbers = (colour) => colour.match(/[\d.]+/g).map(Number);
    const luminance = (rgb) => {
        const [red, green, blue] = rgb
            .map((part) => part / 255)
            .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const groundOf = (element) => {
        for (let one = element; one; one = one.parentElement) {
            const colour = numbers(getComputedStyle(one).backgroundColor);
            if (colour.length < 4 || colour[3] > 0) return colour;
        }
        return [255, 255, 255];
    };
    const contrast = (element) => {
        const [low, high] = [numbers(getComputedStyle(element).color), groundOf(element)]
            .map((colour) => luminance(colour.slice(0, 3)))
            .sort((a, b) => a - b);
        return (high + 0.05) / (low + 0.05);
    };
    const faults = new Set();

    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let text = texts.nextNode(); text; text = texts.nextNode()) {
        const element = text.parentElement;
        if (!text.data.trim() || !element.checkVisibility() || element.closest("[aria-hidden=true], option")) continue;
        if (contrast(element) < least) faults.add(`faint: ${element.outerHTML.slice(0, 120)} ${contrast(element).toFixed(2)}`);
    }
    for (const element of document.querySelectorAll("a, button, input:not([type=hidden]), select, textarea, img")) {
        const names = [element.innerText, element.ariaLabel, element.alt, element.labels?.[0]?.innerText];
        const isDecoration = element.tagName === "IMG" && element.hasAttribute("alt");
        if (element.checkVisibility() && !isDecoration && !names.some((name) => name?.trim()))
            faults.add(`no name: ${element.outerHTML.slice(0, 120)}`);
    }
    for (const image of document.images)
        if (image.checkVisibility() && image.complete && !image.naturalWidth) faults.add(`no picture: ${image.src}`);
    if (document.documentElement.scrollWidth > innerWidth) faults.add("sticks out");
    if (document.querySelectorAll("h1").length !== 1) faults.add("not one h1");
    return [...faults];
}
