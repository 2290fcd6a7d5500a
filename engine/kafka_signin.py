"""Connects kafka-python's clients so that a refused password is told at once and a failed attempt leaves nothing open.

kafka-python 3.0.12 by itself tries a refused password again until its time-out and then says it timed out; and a
client whose constructor failed keeps its thread and sockets, which adds up while a lost broker is waited for.
tests/services/test_signin.py shows both on the real broker.
"""

from typing import Any

import kafka.errors
from kafka.net.compat import KafkaNetClient
from kafka.net.manager import KafkaConnectionManager
from kafka.net.selector import NetworkSelector

from engine.tls.trust import refused

_REFUSALS = (
    kafka.errors.SaslAuthenticationFailedError, kafka.errors.UnsupportedSaslMechanismError,
    kafka.errors.IllegalSaslStateError)


def connected(kind: Any, options: dict[str, Any]) -> Any:
    """Makes a client of `kind` (KafkaAdminClient, KafkaProducer, KafkaConsumer), connected.

    Raises kafka-python's errors: SaslAuthenticationFailedError as soon as the broker says so, KafkaTimeoutError when
    it does not answer within `bootstrap_timeout_ms`.
    """
    made: list[KafkaNetClient] = []

    def net_client(**configs: Any) -> KafkaNetClient:
        net = NetworkSelector(**configs)
        made.append(KafkaNetClient(net=net, manager=_Manager(net, **configs)))
        return made[-1]

    try:
        return kind(kafka_client=net_client, **options)
    except BaseException:
        for client in made:
            client.close()
        raise


class _Manager(KafkaConnectionManager):    # type: ignore[misc]
    """Gives the next caller the broker's refusal instead of another connection that will be refused too."""

    _refusal: Exception | None = None

    def get_connection(self, *args: Any, **options: Any) -> Any:
        """As kafka-python's, but raises a refusal once."""
        refusal, self._refusal = self._refusal, None
        if refusal is not None:
            raise refusal
        connection = super().get_connection(*args, **options)
        connection.init_future.add_errback(self._note)
        return connection

    def _note(self, error: Exception) -> None:
        if isinstance(error, _REFUSALS) or refused(str(error)):    # of a certificate only the text tells it
            self._refusal = error

    async def _build_transport(self, *args: Any, **options: Any) -> Any:
        """As kafka-python's, but what arrives together with the end of the connection is read before the end.

        The broker closes right after a refusal; kafka-python throws the refusal away when both arrive at once.
        """
        transport = await super()._build_transport(*args, **options)
        receive = transport._sock_recv

        def data_before_end() -> tuple[bytes, Exception | None]:
            data, end = receive()
            return data, None if data else end

        transport._sock_recv = data_before_end
        return transport
