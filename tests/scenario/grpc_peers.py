"""A real gRPC server and client (grpcio), without generated code: messages are plain bytes."""

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

CALL_S = 20.0
THREADS_MAX = 160
PIECE = bytes(range(256)) * 128
METHODS = "/spillway.test.Shop/"


def _same(message: bytes) -> bytes:
    return message


class GrpcTarget(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpcio has no types.
    """A server; see the methods below. It counts the calls in hand."""

    def __init__(self, name: str, address: str, credentials: Any = None) -> None:
        """``credentials``: of `grpc.ssl_server_credentials`; None: in the clear."""
        self.name = name
        self.address = address
        self.port = 0
        self._credentials = credentials
        self.in_hand = self.in_hand_max = self.served = self.cancelled = self.pieces = 0
        self.metadata: dict[str, str] = {}
        self._lock = threading.Lock()
        self._open = threading.Event()
        self._open.set()
        self.start()

    def start(self) -> None:
        """Listen (again, at the same port)."""
        self._pool = ThreadPoolExecutor(THREADS_MAX)
        options = [("grpc.so_reuseport", 0), ("grpc.max_concurrent_streams", 64)]
        self._server = grpc.server(self._pool, handlers=[self], options=options)
        place = f"{self.address}:{self.port}"
        if self._credentials is None:
            self.port = self._server.add_insecure_port(place)
        else:
            self.port = self._server.add_secure_port(place, self._credentials)
        self._server.start()

    def stop(self, grace_s: float = 0.0) -> None:
        """GOAWAY; calls in hand have ``grace_s``."""
        self._open.set()
        self._server.stop(grace_s).wait()
        self._pool.shutdown()

    def hold(self) -> None:
        """``Wait`` answers nothing until `release`."""
        self._open.clear()

    def release(self) -> None:
        self._open.set()

    def service(self, details: Any) -> Any:
        """The handler of a method."""
        self.metadata = dict(details.invocation_metadata)
        method = details.method.removeprefix(METHODS)
        if method in ("Echo", "Wait", "Fail"):
            return grpc.unary_unary_rpc_method_handler(getattr(self, method.lower()), _same, _same)
        if method in ("Down", "Tokens"):
            handler = getattr(self, method.lower())
            return grpc.unary_stream_rpc_method_handler(handler, _same, _same)
        if method == "Up":
            return grpc.stream_unary_rpc_method_handler(self.up, _same, _same)
        if method == "Both":
            return grpc.stream_stream_rpc_method_handler(self.both, _same, _same)
        return None

    def echo(self, message: bytes, context: Any) -> bytes:
        """The same message; its name as a trailer."""
        self.served += 1
        context.send_initial_metadata((("began", "yes"),))
        context.set_trailing_metadata((("served-by", self.name), ("sum-bin", b"\x00\xff")))
        return message

    def wait(self, message: bytes, context: Any) -> bytes:
        """Its name, once released."""
        with self._lock:
            self.in_hand += 1
            self.in_hand_max = max(self.in_hand_max, self.in_hand)
        context.add_callback(self._ended)
        self._open.wait(CALL_S)
        return self.name.encode()

    def tokens(self, message: bytes, context: Any) -> Iterator[bytes]:
        """Its name now, and its name again once released."""
        yield self.name.encode()
        yield self.wait(message, context)

    def _ended(self) -> None:
        with self._lock:
            self.in_hand -= 1

    def fail(self, message: bytes, context: Any) -> bytes:
        """NOT_FOUND."""
        context.set_trailing_metadata((("why", "because"),))
        context.set_code(grpc.StatusCode.NOT_FOUND)
        context.set_details("no such thing: 100 % gone")
        return b""

    def down(self, message: bytes, context: Any) -> Iterator[bytes]:
        """So many pieces."""
        context.add_callback(self._count_cancelled(context))
        for _ in range(int(message)):
            self.pieces += 1
            yield PIECE

    def up(self, messages: Iterable[bytes], context: Any) -> bytes:
        """The digest of all."""
        digest = hashlib.sha256()
        for message in messages:
            digest.update(message)
        return digest.hexdigest().encode()

    def both(self, messages: Iterable[bytes], context: Any) -> Iterator[bytes]:
        """Each as it comes, its bytes turned round."""
        context.add_callback(self._count_cancelled(context))
        for message in messages:
            yield message[::-1]
        context.set_trailing_metadata((("served-by", self.name),))

    def _count_cancelled(self, context: Any) -> Callable[[], None]:
        def ended() -> None:
            if context.code() is None and not context.is_active():
                self.cancelled += 1

        return ended


class GrpcClient:
    """One channel, so one connection."""

    def __init__(
        self, address: str, port: int, *, root: bytes = b"", name: str = "", moves: bool = False
    ) -> None:
        """With ``root``, certificates in PEM, by TLS to a server that proves to be ``name``.

        ``moves``: calls that no server has seen go to the next connection, as is grpcio's default.
        Without it those fail that it had given to a connection just before that one's GOAWAY came,
        and never sent; no server can help that.
        """
        options: list[tuple[str, Any]] = [
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.enable_retries", int(moves)),
        ]
        if root:
            options.append(("grpc.ssl_target_name_override", name))
            credentials = grpc.ssl_channel_credentials(root)
            self.channel = grpc.secure_channel(f"{address}:{port}", credentials, options)
        else:
            self.channel = grpc.insecure_channel(f"{address}:{port}", options)

    def __enter__(self) -> "GrpcClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.channel.close()

    def echo(self, message: bytes, timeout_s: float = CALL_S, **metadata: str) -> tuple[bytes, Any]:
        """The answer and its call, which waits for a connection; ``metadata``: ``_`` for ``-``."""
        fields = tuple((name.replace("_", "-"), value) for name, value in metadata.items())
        answer, call = self._one("Echo").with_call(
            message, timeout=timeout_s, metadata=fields, wait_for_ready=True
        )
        return bytes(answer), call

    def wait(self, timeout_s: float = CALL_S) -> Any:
        """A call under way."""
        return self._one("Wait").future(b"", timeout=timeout_s)

    def tokens(self, timeout_s: float = CALL_S, **metadata: str) -> Any:
        """A stream under way; ``metadata`` as of `echo`."""
        fields = tuple((name.replace("_", "-"), value) for name, value in metadata.items())
        method = self.channel.unary_stream(METHODS + "Tokens", _same, _same)
        return method(b"", timeout=timeout_s, metadata=fields)

    def fail(self, method: str = "Fail") -> Any:
        """The error."""
        try:
            self._one(method)(b"", timeout=CALL_S)
        except grpc.RpcError as error:
            return error
        raise AssertionError("it did not fail")

    def down(self, pieces: int, timeout_s: float = CALL_S) -> Any:
        """A stream of pieces."""
        method = self.channel.unary_stream(METHODS + "Down", _same, _same)
        return method(str(pieces).encode(), timeout=timeout_s)

    def up(self, messages: Iterable[bytes]) -> bytes:
        """The digest of the messages."""
        method = self.channel.stream_unary(METHODS + "Up", _same, _same)
        return bytes(method(iter(messages), timeout=CALL_S))

    def both(self, messages: Iterable[bytes], timeout_s: float = CALL_S) -> Any:
        """A stream both ways."""
        method = self.channel.stream_stream(METHODS + "Both", _same, _same)
        return method(iter(messages), timeout=timeout_s)

    def _one(self, method: str) -> Any:
        return self.channel.unary_unary(METHODS + method, _same, _same)
