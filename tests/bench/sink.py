"""Many servers that take every transaction: one process, a TLS port for each, no work worth speaking of.

``python -m tests.bench.sink CHAIN KEY PORT...``; prints a line when it listens.
"""

import asyncio
import ssl
import sys
from collections.abc import Sequence

_ANSWER = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"pdus":{}}'


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
            )
            await reader.readexactly(length)
            writer.write(_ANSWER)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main(arguments: Sequence[str]) -> None:
    """Listen until killed."""
    chain, key, *ports = arguments
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    for port in ports:
        await asyncio.start_server(_serve, "127.0.0.1", int(port), ssl=context)
    print("listening", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
