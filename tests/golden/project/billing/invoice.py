"""Invoices and what is still owed on them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal

CENT = Decimal("0.01")


@dataclass
class Line:
    """One article on an invoice."""

    article: str
    quantity: int
    unit_price: Decimal
    tax_rate: Decimal


@dataclass
class Invoice:
    """What a customer is asked to pay, and what came in so far."""

    number: str
    issued: date
    days_to_pay: int = 30
    lines: list[Line] = field(default_factory=list)
    payments: list[Decimal] = field(default_factory=list)

    def net(self) -> Decimal:
        return sum((line.quantity * line.unit_price for line in self.lines), Decimal(0))

    def tax(self) -> Decimal:
        """Each rate is rounded on its own, as the tax office wants it."""
        by_rate: dict[Decimal, Decimal] = {}
        for line in self.lines:
            by_rate[line.tax_rate] = by_rate.get(line.tax_rate, Decimal(0)) + line.quantity * line.unit_price
        return sum(((base * rate).quantize(CENT, ROUND_HALF_UP) for rate, base in by_rate.items()), Decimal(0))

    def balance(self) -> Decimal:
        return self.net() + self.tax() - sum(self.payments, Decimal(0))

    def is_overdue(self, today: date) -> bool:
        return self.balance() > 0 and today > self.issued + timedelta(days=self.days_to_pay)


def split_among(amount: Decimal, people: int) -> list[Decimal]:
    """Equal shares that add up to the cent: the first ones carry the rest."""
    share = (amount / people).quantize(CENT, rounding="ROUND_DOWN")
    rest = int((amount - share * people) / CENT)
    return [share + CENT if n < rest else share for n in range(people)]
