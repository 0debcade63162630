"""Which type of Stripe object is written how: its shape, with what differs from object to object taken from columns.

A field of the shape that says nothing here is null; those that kinds of payment alone fill (`card`, `klarna`, `vipps`)
follow the kind. Currency is NOK in øre.
"""

from __future__ import annotations

from demo.world import stripe_money_lines as money
from demo.world import stripe_payments_lines as payments
from demo.world import stripe_people_lines as people

API_VERSION = "2026-10-28.endive"
WRITERS = {
    "account": people.account,
    "application_fee": money.application_fee,
    "balance_transaction": money.balance_transaction,
    "bank_account": people.bank_account,
    "charge": payments.charge,
    "customer": people.customer,
    "dispute": payments.dispute,
    "fee_refund": money.fee_refund,
    "identity.verification_session": people.verification_session,
    "payment_intent": payments.payment_intent,
    "payment_method": payments.payment_method,
    "payout": money.payout,
    "person": people.person,
    "radar.early_fraud_warning": payments.early_fraud_warning,
    "refund": payments.refund,
    "review": payments.review,
    "transfer": money.transfer,
    "transfer_reversal": money.transfer_reversal,
}
OBJECT_TYPES = (*WRITERS, "event")
