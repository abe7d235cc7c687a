"""``exec``, ``logs`` and ``port-forward`` of pods: WebSockets with numbered channels."""

import asyncio
import contextlib
import os
import signal
from typing import Final

import msgspec
from aiohttp import WSMsgType, web

from tests.kubernetes import processes
from tests.kubernetes.containers import Container
from tests.kubernetes.failures import bad_request
from tests.kubernetes.kubelet import Kubelet
from tests.kubernetes.processes import Process
from tests.kubernetes.rbac import User
from tests.kubernetes.requests import Wanted
from tests.kubernetes.resources import Json

PROTOCOLS: Final = ("v5.channel.k8s.io", "v4.channel.k8s.io")
STDIN, STDOUT, STDERR, ERROR, CLOSE = 0, 1, 2, 3, 255
PIECE_BYTES: Final = 32 * 1024
FOLLOW_POLL_S: Final = 0.05


class Streams:
    """The subresources of pods that the kubelet serves."""

    def __init__(self, kubelet: Kubelet) -> None:
        self._kubelet = kubelet
        self._running: set[Process] = set()

    async def ended(self) -> None:
        """Kill what `exec` still runs, and wait for it."""
        for process in list(self._running):
            _kill(process)
            await process.communicate()
        self._running.clear()

    async def exec(self, request: web.Request, wanted: Wanted, _user: User) -> web.StreamResponse:
        """Run a command in a container; 400 without a WebSocket (SPDY is not spoken)."""
        query = request.query
        container = self._kubelet.container(
            wanted.namespace, wanted.name, query.get("container", "")
        )
        if request.headers.get("Upgrade", "").lower() != "websocket":
            raise bad_request("Upgrade request required")
        if not container.is_running:
            raise bad_request(f'container "{container.name}" is not running')
        socket = web.WebSocketResponse(protocols=PROTOCOLS, max_msg_size=0)
        await socket.prepare(request)
        try:
            process = await container.spawn(
                query.getall("command"),
                stdin=processes.PIPE if query.get("stdin") == "true" else processes.DEVNULL,
            )
        except (FileNotFoundError, PermissionError) as error:
            await _end(socket, _internal(f"error executing command: {error}"))
            return socket
        self._running.add(process)
        try:
            await self._carry(socket, process, query.get("tty") == "true")
        finally:
            _kill(process)
            await process.communicate()
            self._running.discard(process)  # Not before: who is cancelled twice comes not here.
        return socket

    async def run(self, namespace: str, pod: str, words: list[str]) -> tuple[int, bytes, bytes]:
        """Exit code and outputs of a command in the only container of a pod, as `exec` runs it."""
        container = self._kubelet.container(namespace, pod, "")
        process = await container.spawn(words, stdin=processes.DEVNULL)
        self._running.add(process)
        try:
            out, err = await process.communicate()
        finally:
            _kill(process)
            self._running.discard(process)
        return await process.wait(), out, err

    async def _carry(self, socket: web.WebSocketResponse, process: Process, tty: bool) -> None:
        assert process.stdout is not None and process.stderr is not None
        code = -1
        with contextlib.suppress(ConnectionError):
            async with asyncio.TaskGroup() as group:
                feeding = group.create_task(_feed(socket, process))
                outputs = [
                    group.create_task(_drain(socket, process.stdout, STDOUT)),
                    group.create_task(_drain(socket, process.stderr, STDOUT if tty else STDERR)),
                ]
                await asyncio.wait(outputs)
                code = await process.wait()
                feeding.cancel()
        if not socket.closed:
            await _end(socket, _result(code))

    async def log(self, request: web.Request, wanted: Wanted, _user: User) -> web.StreamResponse:
        """What a container printed: ``previous``, ``tailLines``, ``follow``."""
        query = request.query
        container = self._kubelet.container(
            wanted.namespace, wanted.name, query.get("container", "")
        )
        number = container.restarts
        if query.get("previous") == "true":
            if not number:
                raise bad_request(
                    f'previous terminated container "{container.name}" in pod "{wanted.name}" '
                    "not found"
                )
            number -= 1
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await response.prepare(request)
        path = container.log_path(number)
        data = path.read_bytes() if path.exists() else b""
        if "tailLines" in query:
            lines = data.splitlines(keepends=True)
            shown = b"".join(lines[max(len(lines) - int(query["tailLines"]), 0) :])
        else:
            shown = data
        await response.write(shown)
        if query.get("follow") == "true":
            await _follow(response, container, number, len(data))
        await response.write_eof()
        return response

    async def port_forward(
        self, request: web.Request, wanted: Wanted, _user: User
    ) -> web.StreamResponse:
        """One port of a pod over ``v4.channel.k8s.io``: channel 0 data, 1 error."""
        found = [
            each for each in self._kubelet.running(wanted.namespace) if each.name == wanted.name
        ]
        if not found or "ports" not in request.query:
            raise bad_request("you must specify a running pod and at least 1 port")
        socket = web.WebSocketResponse(protocols=PROTOCOLS[1:], max_msg_size=0)
        await socket.prepare(request)
        port = int(request.query["ports"])
        for channel in (0, 1):
            await socket.send_bytes(bytes([channel]) + port.to_bytes(2, "little"))
        try:
            reader, writer = await asyncio.open_connection(found[0].address, port)
        except OSError as error:
            await socket.send_bytes(bytes([1]) + f"error forwarding port {port}: {error}".encode())
            await socket.close()
            return socket
        with contextlib.closing(writer), contextlib.suppress(ConnectionError):
            async with asyncio.TaskGroup() as group:
                sending = group.create_task(_forward(socket, writer))
                await _drain(socket, reader, 0)
                sending.cancel()
        await socket.close()
        return socket


async def _forward(socket: web.WebSocketResponse, writer: asyncio.StreamWriter) -> None:
    async for message in socket:
        if message.type is WSMsgType.BINARY and message.data[0] == 0:
            writer.write(message.data[1:])
            await writer.drain()
    writer.close()


async def _feed(socket: web.WebSocketResponse, process: Process) -> None:
    """Bytes of the client to the command; the client going away ends the command."""
    async for message in socket:
        if message.type is not WSMsgType.BINARY or not message.data:
            continue
        channel, data = message.data[0], message.data[1:]
        pipe = process.stdin
        if pipe is None:
            continue
        with contextlib.suppress(ConnectionError):
            if channel == STDIN:
                pipe.write(data)
                await pipe.drain()
            elif channel == CLOSE and data == bytes([STDIN]):
                pipe.close()
    _kill(process)


def _kill(process: Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


async def _drain(socket: web.WebSocketResponse, reader: asyncio.StreamReader, channel: int) -> None:
    while piece := await reader.read(PIECE_BYTES):
        await socket.send_bytes(bytes([channel]) + piece)


async def _end(socket: web.WebSocketResponse, status: Json) -> None:
    await socket.send_bytes(bytes([ERROR]) + msgspec.json.encode(status))
    await socket.close()


def _result(code: int) -> Json:
    if code == 0:
        return {"metadata": {}, "status": "Success"}
    shown = code if code > 0 else 128 - code
    return {
        "metadata": {},
        "status": "Failure",
        "reason": "NonZeroExitCode",
        "message": f"command terminated with non-zero exit code: exit status {shown}",
        "details": {"causes": [{"reason": "ExitCode", "message": str(shown)}]},
    }


def _internal(message: str) -> Json:
    return {
        "metadata": {},
        "status": "Failure",
        "reason": "InternalError",
        "message": message,
        "code": 500,
    }


async def _follow(
    response: web.StreamResponse, container: Container, number: int, offset: int
) -> None:
    path = container.log_path(number)
    with contextlib.suppress(ConnectionError):
        while True:
            running = container.is_running and container.restarts == number
            data = path.read_bytes()[offset:] if path.exists() else b""
            offset += len(data)
            if data:
                await response.write(data)
            elif not running:
                return
            await asyncio.sleep(FOLLOW_POLL_S)
