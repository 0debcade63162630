"""A marketplace whose rows are made by hand, one line a fact: what the tests of the fraud purpose build on."""

from collections import defaultdict
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from tests.dbt_project.purpose_project import NOW, PurposeProject

Uid = Callable[[str], UUID]


def ago(days: float = 0, minutes: float = 0) -> str:
    return (NOW - timedelta(days=days, minutes=minutes)).isoformat()


class Market:
    """Collects rows by table, and makes an account for everybody who is named."""

    def __init__(self, uid: Uid) -> None:
        self.uid = uid
        self.rows: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        self.accounts: dict[str, dict[str, Any]] = {}
        self._number = 0

    def fresh(self) -> UUID:
        self._number += 1
        return self.uid(f"row {self._number}")

    def who(self, name: str, **values: Any) -> UUID:
        known = self.accounts.setdefault(
            name, {"account_id": self.uid(name), "created_at": ago(400), "updated_at": ago(30), "status": "active"}
        )
        known.update(values)
        return self.uid(name)

    def add(self, table: str, **values: Any) -> None:
        self.rows[table].append(values)

    def login(
        self, name: str, at: str, *, ok: bool = True, device: str, network: str = "n", country: str = "NO"
    ) -> None:
        self.add(
            "app_db__login", login_id=self.fresh(), account_id=self.who(name), logged_in_at=at, is_success=ok,
            device_id=self.uid(device), network_id=self.uid(f"{name} {network}"), country=country,
        )  # fmt: skip

    def habit(self, name: str) -> None:
        """Four logins from the account's own device, long ago."""
        for day in range(4):
            self.login(name, ago(200 + day), device=f"{name}'s own", network="home")

    def booking(
        self, customer: str | None, provider: str, booked: float, *, price: int = 1000, minutes: int = 3000
    ) -> UUID:
        booking_id = self.fresh()
        self.add(
            "app_db__booking", booking_id=booking_id, customer_id=self.who(customer) if customer else None,
            provider_id=self.who(provider), status="completed", price_nok=price, booked_at=ago(booked),
            completed_at=ago(booked, -minutes), paid_at=ago(booked, -minutes),
        )  # fmt: skip
        return booking_id

    def review(self, author: str | None, subject: str, at: str, *, booking: UUID | None, rating: int = 5) -> None:
        self.add(
            "app_db__review", review_id=self.fresh(), booking_id=booking, author_id=self.who(author) if author else None,
            subject_id=self.who(subject), rating=rating, created_at=at,
        )  # fmt: skip

    def message(
        self, sender: str, recipient: str, at: str, text: str, *, offer: bool = False, length: int = 60
    ) -> None:
        self.add(
            "app_db__message", message_id=self.fresh(), sender_id=self.who(sender), recipient_id=self.who(recipient),
            body_fingerprint=self.uid(f"text {text}"), body_length=length, body_has_phone=offer, sent_at=at,
        )  # fmt: skip

    def charge(self, customer: str, at: str, *, failed: bool = False, card: str | None = None, **values: Any) -> UUID:
        charge_id = self.fresh()
        self.add(
            "stripe__charge", charge_id=charge_id, customer_id=self.who(customer), created_at=at,
            status="failed" if failed else "succeeded", card_fingerprint=self.uid(card or f"{customer}'s card"), **values,
        )  # fmt: skip
        return charge_id

    def case(self, by: str, about: str, topic: str, *, closed: bool = True) -> None:
        self.add(
            "app_db__support_case", case_id=self.fresh(), account_id=self.who(by), about_account_id=self.who(about),
            topic=topic, opened_at=ago(20), closed_at=ago(18) if closed else None,
        )  # fmt: skip

    def profile(self, name: str, bank: str, updated: str, **values: Any) -> None:
        self.add(
            "app_db__provider_profile", account_id=self.who(name, is_provider=True), updated_at=updated,
            bank_account=self.uid(f"bank {bank}"), **values,
        )  # fmt: skip

    def insert(self, project: PurposeProject) -> None:
        project.insert("app_db__account", *self.accounts.values())
        for table, rows in self.rows.items():
            project.insert(table, *rows)
