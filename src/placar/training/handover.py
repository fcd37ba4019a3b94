"""What the reading process leaves for the learning process, as files in the scratch folder."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np

from placar.signature.model import Signature
from placar.training.matrix import Cell, Encoded, open_matrices
from placar.training.prepare import Prepared
from placar.training.split import Method, Split


class _Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What fits in JSON. NaN cells of the samples arrive as null, which means the same."""

    signature: Signature
    method: Method
    unparsed: dict[str, int]
    samples: tuple[dict[str, Cell], ...]
    table_sha256: str
    notes: tuple[str, ...]


def hand_over(prepared: Prepared, scratch: Path) -> None:
    """Write what was prepared; its matrices are in the folder already."""
    facts = _Facts(
        signature=prepared.signature,
        method=prepared.split.method,
        unparsed=prepared.encoded.unparsed,
        samples=prepared.encoded.samples,
        table_sha256=prepared.table_sha256,
        notes=prepared.notes,
    )
    (scratch / "facts.json").write_bytes(msgspec.json.encode(facts))
    np.save(scratch / "positive.npy", prepared.positive)
    np.save(scratch / "test.npy", prepared.split.test)
    np.save(scratch / "folds.npy", prepared.split.folds)


def take_over(scratch: Path) -> Prepared:
    """Return what ``hand_over`` wrote, with the matrices mapped into memory."""
    facts = msgspec.json.decode((scratch / "facts.json").read_bytes(), type=_Facts)
    training, test = open_matrices(scratch, len(facts.signature.columns))
    return Prepared(
        signature=facts.signature,
        positive=np.load(scratch / "positive.npy"),
        split=Split(facts.method, np.load(scratch / "test.npy"), np.load(scratch / "folds.npy")),
        encoded=Encoded(training, test, facts.unparsed, facts.samples),
        table_sha256=facts.table_sha256,
        notes=facts.notes,
    )
