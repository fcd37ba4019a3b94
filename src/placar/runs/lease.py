"""The lease on a run: as long as it is renewed, nobody else follows the run."""

from __future__ import annotations

import logging
import threading
from types import TracebackType
from typing import Self

from placar.errors import DiskFull, StoreUnavailable
from placar.package.run_folder import Progress, Stage
from placar.store.runs import RunStore

log = logging.getLogger(__name__)


class Lease:
    """Renews a lease that was just taken, in a thread of its own, until the block ends.

    A thread, because finishing a run may take longer than others' patience. It also hears
    what others want: ``lost`` when somebody else follows the run now, ``cancelled`` when the
    run is to end. A store that cannot be reached is no reason to stop; the lease may be lost by it.
    """

    def __init__(self, runs: RunStore, run_id: str, token: str, every: float) -> None:
        """Name the lease; nothing happens yet."""
        self.token = token
        self.lost = False
        self.cancelled = False
        self._runs = runs
        self._run_id = run_id
        self._every = every
        self._progress: tuple[Stage | None, float] = (None, 0.0)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._renew, name=f"lease {run_id}", daemon=True)

    def __enter__(self) -> Self:
        """Start renewing."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop renewing; the lease itself stays taken until the run ends or patience does."""
        self._over.set()
        self._thread.join()

    @property
    def stage(self) -> Stage | None:
        """The last stage that was noted."""
        return self._progress[0]

    def note(self, progress: Progress) -> None:
        """Have the next renewal say how far the run is."""
        self._progress = (progress.stage, progress.done)

    def _renew(self) -> None:
        while not self.lost and not self._over.wait(self._every):
            try:
                heard = self._runs.beat(self._run_id, self.token, *self._progress)
            except (StoreUnavailable, DiskFull) as error:
                log.warning("lease_not_renewed", extra={"run": self._run_id, "why": error.code})
                continue
            self.cancelled = self.cancelled or heard.cancel_requested
            self.lost = not heard.held
