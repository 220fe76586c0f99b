"""Tables of coupons, and of their uses."""

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from orchestration.contracts.values import LARGEST_AMOUNT_MINOR

CODE = r"^[A-Z0-9-]{3,40}\Z"


class Coupon(models.Model):
    """A coupon takes a percentage or an amount off a cart. Each use is set aside for one saga."""

    class Kind(models.TextChoices):
        PERCENT = "percent"
        AMOUNT = "amount"

    code = models.CharField(
        primary_key=True,
        max_length=40,
        validators=[RegexValidator(CODE, "3 to 40 of the characters A–Z, 0–9 and “-”.")],  # noqa: RUF001  an en dash is meant
    )
    kind = models.CharField(max_length=7, choices=Kind.choices)
    value = models.BigIntegerField(
        help_text="Percent of the cart, 1 to 100; or an amount in minor units of the currency.",
        validators=[MinValueValidator(1), MaxValueValidator(LARGEST_AMOUNT_MINOR)],
    )
    currency = models.CharField(
        max_length=3,
        blank=True,
        default="",
        help_text="ISO 4217 code of an amount. Empty for a percentage, which applies to every currency.",
    )
    expires_at = models.DateTimeField(null=True, blank=True, help_text="Orders requested from then on cannot use it.")
    uses = models.PositiveIntegerField(help_text="How often it can be used, by all customers together.")
    used = models.PositiveIntegerField(db_default=0, editable=False)
    once_per_customer = models.BooleanField(default=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ("code",)
        constraints = (
            models.CheckConstraint(condition=Q(code__regex=r"^[A-Z0-9-]{3,40}$"), name="coupon_code_is_plain"),
            models.CheckConstraint(
                condition=Q(used__lte=F("uses")),
                name="coupon_not_overused",
                violation_error_message="It was used more often already.",
            ),
            models.CheckConstraint(
                condition=Q(kind="percent", value__gte=1, value__lte=100, currency="")
                | Q(kind="amount", value__gte=1, value__lte=LARGEST_AMOUNT_MINOR, currency__regex=r"^[A-Z]{3}$"),
                name="coupon_is_a_percentage_or_an_amount",
            ),
        )

    def __str__(self) -> str:
        return self.code


class CouponUse(models.Model):
    """One use of a coupon, by one saga."""

    class State(models.TextChoices):
        USED = "used"
        RETURNED = "returned"
        """The checkout was undone."""
        GIVEN_BACK = "given_back"
        """The order was placed, and then cancelled as a whole."""

    saga_id = models.UUIDField(primary_key=True)
    coupon = models.ForeignKey(Coupon, on_delete=models.PROTECT, related_name="+", db_index=False)
    customer_id = models.TextField()
    order_id = models.UUIDField()
    state = models.TextField(choices=State.choices, default=State.USED)
    once = models.BooleanField(help_text="The customer may have only one such use at a time.")
    used_at = models.DateTimeField(db_default=Now())
    changed_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ("-used_at",)
        constraints = (
            models.UniqueConstraint(
                fields=("coupon", "customer_id"),
                condition=Q(once=True, state="used"),
                name="coupon_used_once_per_customer",
            ),
            models.CheckConstraint(
                condition=Q(state__in=("used", "returned", "given_back")), name="coupon_use_state_is_known"
            ),
        )
        indexes = (models.Index(fields=("coupon", "customer_id"), name="coupon_use_of_customer"),)

    def __str__(self) -> str:
        return f"use of {self.coupon_id} by saga {self.saga_id}"
