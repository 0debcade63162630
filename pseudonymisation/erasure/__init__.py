"""Erasure: from a verified request to a certificate that anybody can check (R19)."""

from pseudonymisation.erasure.receipts import Receipt
from pseudonymisation.erasure.run import (
    ErasurePreparation,
    ErasureResult,
    finish_erasures,
    prepare_erasures,
    receipts,
)

__all__ = ["ErasurePreparation", "ErasureResult", "Receipt", "finish_erasures", "prepare_erasures", "receipts"]
