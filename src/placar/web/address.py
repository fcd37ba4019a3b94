"""An address: method, path, who may, what answers. ``app.py`` lists them all."""

from __future__ import annotations

from collections.abc import Callable

from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from placar.store.keys import Scope as KeyScope
from placar.web.auth import KeyRing

CALLER = "placar.caller"
"""Key of the ASGI scope under which the id of the caller's key stands."""

ROUTE = "placar.route"
"""Key of the ASGI scope under which the address's path stands, with its placeholders."""

UNMATCHED = "other"
"""What stands for the path of a request that no address matched, where requests are counted."""


class Address(Route):
    """A route that may ask for an API key."""

    def __init__(
        self,
        method: str,
        path: str,
        endpoint: Callable[..., object],
        keys: KeyRing,
        needs: KeyScope | None = None,
    ) -> None:
        """Describe the address.

        Args:
            method: the one method it answers to (``GET`` includes ``HEAD``).
            path: with ``{placeholders}``.
            endpoint: ``async (Request) -> Response``, or a callable object that is plain ASGI.
            keys: who may come in.
            needs: the scope that a key must have; None: open to everybody.
        """
        super().__init__(path, endpoint, methods=[method])
        self.method = method
        self.needs: KeyScope | None = needs
        self._keys = keys

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Admit the caller, then answer."""
        scope[ROUTE] = self.path
        if self.needs is not None:
            scope[CALLER] = self._keys.admit(scope["headers"], self.needs)
        await super().handle(scope, receive, send)
