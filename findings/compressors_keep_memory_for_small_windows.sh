#!/usr/bin/env bash
# A server compresses a thousand streams at a time, each with a compressor whose window is 128 KiB.
#
# Guess: the window is what a compressor keeps, so each takes a few hundred kilobytes at most.
# Seen: the window bounds what the reader must keep. zstd and brotli keep tables for their level beside it: 1 and 1.6 MB for each stream that is
# flushed as it flows. Only with smaller tables (`hash_log`, `chain_log`), or at brotli's lowest quality, it is what one would think.
source "$(dirname "$0")/_setup.sh"
packages backports.zstd==1.8.0 brotli==1.2.1

cat >try.py <<'END'
import resource
import subprocess
import sys
import zlib

STREAMS = 200
CHUNK = b"".join(b"a row of a report, number %d\n" % number for number in range(400))


def compressor(name):
    if name == "gzip":
        made = zlib.compressobj(5, zlib.DEFLATED, 31)
        return lambda chunk: made.compress(chunk) + made.flush(zlib.Z_SYNC_FLUSH)
    if name.startswith("brotli"):
        import brotli

        made = brotli.Compressor(quality=int(name[-1]), lgwin=17)
        return lambda chunk: made.process(chunk) + made.flush()
    from backports import zstd

    parameter = zstd.CompressionParameter
    options = {parameter.compression_level: 3, parameter.window_log: 17}
    if name == "zstd, small tables":
        options |= {parameter.hash_log: 14, parameter.chain_log: 14}
    made = zstd.ZstdCompressor(options=options)
    return lambda chunk: made.compress(chunk, made.FLUSH_BLOCK)


if len(sys.argv) > 1:
    compressor(sys.argv[1])(CHUNK)  # what the package itself takes
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    kept = [compressor(sys.argv[1]) for _ in range(STREAMS)]
    for compress in kept:
        for _ in range(20):
            compress(CHUNK)
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // STREAMS)
else:
    for name in "gzip", "zstd", "zstd, small tables", "brotli 5", "brotli 1":
        size = int(subprocess.check_output([sys.executable, __file__, name]))
        print(f"{name}: {'over' if size > 500 else 'under'} 500 KiB each")
        print(f"  ({size} KiB here)", file=sys.stderr)
END
seen python try.py <<'END'
gzip: under 500 KiB each
zstd: over 500 KiB each
zstd, small tables: under 500 KiB each
brotli 5: over 500 KiB each
brotli 1: under 500 KiB each
END
