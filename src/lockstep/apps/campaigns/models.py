"""Campaigns that went out to connected audiences, who got them, and what they did (product points L1 to L3).

Made for a year of weekly campaigns to 100,000 people: 5.2 million `Recipient` rows and some three million
`Reaction` rows. Both are narrow (48 bytes with PostgreSQL's own), keyed by what they are about instead of by
a number of their own, and know people by a four-byte `Person` number, so that somebody who changes their
address, or turns up in the book later, is one row to change and not a year of them.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone

from lockstep.apps.accounts.models import Company, Seat
from lockstep.apps.book.models import Client, Contact
from lockstep.apps.connections.models import Connection


class Campaign(models.Model):
    """A campaign that was sent to a connected audience, with totals over all its recipients.

    The totals are counted from the rows below, in the same transaction that writes these; they equal
    Mailchimp's own report as of the last reading. `reported` is that report's numbers (see
    `bridge.reports.ReportNumbers`), shown until a first reading has come to its end.
    """

    id = models.AutoField(primary_key=True)
    company = models.ForeignKey(Company, on_delete=models.CASCADE, related_name="+", db_index=False)
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="+", db_index=False)
    mailchimp_id = models.CharField(max_length=40)
    title = models.CharField(max_length=500, blank=True)
    subject = models.CharField(max_length=1000, blank=True)
    kind = models.CharField(max_length=20, blank=True)
    """regular, plaintext, absplit, rss, variate, automation, …: as Mailchimp names it."""
    send_time = models.DateTimeField()
    recipients = models.IntegerField(default=0)
    in_book = models.IntegerField(default=0)
    """Recipients who are contacts of the book."""
    opens = models.IntegerField(default=0)
    machine_opens = models.IntegerField(default=0)
    """Those of `opens` that programs made (see `reading.machines`)."""
    openers = models.IntegerField(default=0)
    human_openers = models.IntegerField(default=0)
    """Those of `openers` who have at least one open that no program made."""
    clicks = models.IntegerField(default=0)
    clickers = models.IntegerField(default=0)
    soft_bounces = models.IntegerField(default=0)
    hard_bounces = models.IntegerField(default=0)
    unsubscribed = models.IntegerField(default=0)
    complaints = models.IntegerField(default=0)
    """Only Mailchimp's number is known, not who."""
    reported = models.JSONField(default=dict)
    forgotten_at = models.DateTimeField(null=True, blank=True)
    """When who got it was deleted, being older than the company keeps; the totals stay."""

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["connection", "mailchimp_id"], name="campaigns_campaign_once")
        ]
        indexes = [
            models.Index(fields=["company", "-send_time", "-id"]),
            models.Index(fields=["connection", "-send_time"]),
        ]

    def __str__(self) -> str:
        return f"campaign {self.pk}"


class Reading(models.Model):
    """How far a campaign has been read: what a reader that comes after a crash needs to go on.

    A pass goes through all recipients by pages. A *full* pass asks for everything they ever did and is the
    truth; another asks only for what they did since `read_through`. `pass_*` describe the pass under way.
    """

    campaign = models.OneToOneField(
        Campaign, on_delete=models.CASCADE, primary_key=True, related_name="reading"
    )
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="+")
    first_read_at = models.DateTimeField(null=True, blank=True)
    """When the first pass ended; null: the rows are not complete yet."""
    read_at = models.DateTimeField(null=True, blank=True)
    """When the last pass that ended had begun."""
    read_numbers = models.JSONField(default=dict)
    """What the report said before that pass began: while it still says so, nothing moved."""
    read_through = models.CharField(max_length=40, blank=True, default="")
    """The newest moment in that report, in Mailchimp's time; `since` goes a little further back."""
    full_wanted = models.BooleanField(default=True)
    """The next pass reads everything: it is the first, or the rows were found not to equal the report."""
    full_tries = models.SmallIntegerField(default=0)
    """Full passes in a row after which the rows still did not equal the report."""
    asked_at = models.DateTimeField(null=True, blank=True)
    """Somebody opened the page: it is read before all others."""
    pass_number = models.SmallIntegerField(default=0)
    pass_began_at = models.DateTimeField(null=True, blank=True)
    """Null: no pass is under way."""
    pass_full = models.BooleanField(default=False)
    pass_since = models.CharField(max_length=40, blank=True, default="")
    pass_numbers = models.JSONField(default=dict)
    pass_offset = models.IntegerField(default=0)
    """Recipients gone through, in the order in which Mailchimp lists them."""

    class Meta:
        indexes = [
            models.Index(
                fields=["connection"], condition=Q(asked_at__isnull=False), name="campaigns_reading_asked"
            )
        ]

    def __str__(self) -> str:
        return f"reading of campaign {self.pk}"


class ReportIndex(models.Model):
    """When the list of reports of an account's connection was last read."""

    connection = models.OneToOneField(
        Connection, on_delete=models.CASCADE, primary_key=True, related_name="report_index"
    )
    read_at = models.DateTimeField(null=True, blank=True)
    matched_at = models.DateTimeField(null=True, blank=True)
    """When all people without a contact were last looked up in the book."""
    trouble = models.TextField(blank=True, default="")
    """Why campaigns could not be read last time, for the page; '' when they could."""

    def __str__(self) -> str:
        return f"report index of connection {self.pk}"


class Person(models.Model):
    """Somebody in an audience, as campaigns know them; no name and no address is kept.

    `contact_key` is Mailchimp's `contact_id`, which stays when the address, and with it the subscriber hash,
    changes (contract 4.1); '' until the mirror has told it. `contact_id` is the contact of the book; null for
    people who are not in it, who are counted and nothing else.
    """

    id = models.AutoField(primary_key=True)
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="+", db_index=False)
    member_hash = models.BinaryField()
    """The 16 bytes of the subscriber hash."""
    contact_key = models.CharField(max_length=40, blank=True, default="")
    contact = models.ForeignKey(
        Contact, null=True, on_delete=models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["connection", "member_hash"], name="campaigns_person_once"),
            models.UniqueConstraint(
                fields=["connection", "contact_key"],
                condition=~Q(contact_key=""),
                name="campaigns_person_key_once",
            ),
        ]
        indexes = [
            models.Index(
                fields=["contact"], condition=Q(contact__isnull=False), name="campaigns_person_contact"
            )
        ]

    def __str__(self) -> str:
        return f"person {self.pk}"


class Recipient(models.Model):
    """That one person got one campaign, and the sums of what they did with it.

    Counted from `Reaction` and `Unsubscribe` in the transaction that writes these.
    """

    class Bounce(models.IntegerChoices):
        NONE = 0
        SOFT = 1
        HARD = 2

    pk = models.CompositePrimaryKey("campaign_id", "person_id")
    campaign = models.ForeignKey(
        Campaign, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    person = models.ForeignKey(
        Person, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    last_at = models.IntegerField(default=0)
    """When they last did something themselves, as `moments` counts seconds; 0: never."""
    opens = models.SmallIntegerField(default=0)
    """All of them; at most 1,000 are ever told (contract 9)."""
    machine_opens = models.SmallIntegerField(default=0)
    clicks = models.SmallIntegerField(default=0)
    bounce = models.SmallIntegerField(default=0, choices=Bounce)
    seen = models.SmallIntegerField(default=0)
    """Number of the last full pass that met them."""
    unsubscribed = models.BooleanField(default=False)

    class Meta:
        indexes = [models.Index(fields=["person", "campaign"])]

    def __str__(self) -> str:
        return f"person {self.person_id} of campaign {self.campaign_id}"


class Reaction(models.Model):
    """One open, click or bounce. The key is natural: reading it again finds it there.

    `nth` tells apart what is alike to the second: events of one second always come together (contract 9:
    `since` leaves out whole seconds), so counting them within an answer gives each the same number again.
    """

    class What(models.IntegerChoices):
        OPEN = 1
        SOFT = 2
        HARD = 3

    #: `what` of a click is this plus the number of the link.
    CLICK = 16

    pk = models.CompositePrimaryKey("campaign_id", "person_id", "what", "at", "nth")
    campaign = models.ForeignKey(
        Campaign, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    person = models.ForeignKey(
        Person, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    at = models.IntegerField()
    """As `moments` counts seconds."""
    source = models.IntegerField(default=0)
    """What is kept of the network address: enough to see that two are one, within one campaign; 0: none."""
    what = models.SmallIntegerField()
    nth = models.SmallIntegerField(default=0)
    machine = models.BooleanField(default=False)

    class Meta:
        indexes = [
            models.Index(fields=["campaign", "what"], condition=Q(what__gte=16), name="campaigns_clicks")
        ]

    def __str__(self) -> str:
        return f"reaction of person {self.person_id} to campaign {self.campaign_id}"


class Link(models.Model):
    """An address in a campaign that somebody clicked."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="links", db_index=False)
    number = models.SmallIntegerField()
    url = models.TextField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["campaign", "number"], name="campaigns_link_once"),
        ]

    def __str__(self) -> str:
        return f"link {self.number} of campaign {self.campaign_id}"


class Unsubscribe(models.Model):
    """That somebody unsubscribed from one campaign, with the reason they gave."""

    campaign = models.ForeignKey(
        Campaign, on_delete=models.CASCADE, related_name="unsubscribes", db_index=False
    )
    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="+", db_constraint=False)
    at = models.IntegerField()
    nth = models.SmallIntegerField(default=0)
    reason = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["campaign", "person", "at", "nth"], name="campaigns_unsubscribe_once"
            )
        ]

    def __str__(self) -> str:
        return f"unsubscribe {self.pk}"


class ClientFigure(models.Model):
    """What the contacts of one client did with one campaign; made anew when a reading of it ends.

    For lists over all clients. What a client's own page shows is counted from its contacts' rows.
    """

    pk = models.CompositePrimaryKey("campaign_id", "client_id")
    campaign = models.ForeignKey(
        Campaign, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    client = models.ForeignKey(
        Client, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    recipients = models.IntegerField(default=0)
    opens = models.IntegerField(default=0)
    machine_opens = models.IntegerField(default=0)
    openers = models.IntegerField(default=0)
    human_openers = models.IntegerField(default=0)
    clicks = models.IntegerField(default=0)
    clickers = models.IntegerField(default=0)
    soft_bounces = models.IntegerField(default=0)
    hard_bounces = models.IntegerField(default=0)
    unsubscribed = models.IntegerField(default=0)
    last_at = models.IntegerField(default=0)

    class Meta:
        indexes = [models.Index(fields=["client", "campaign"])]

    def __str__(self) -> str:
        return f"client {self.client_id} and campaign {self.campaign_id}"


class CampaignSettings(models.Model):
    """How long a company keeps who did what, and whether its reps get a digest."""

    KEPT_MONTHS = 24

    company = models.OneToOneField(Company, on_delete=models.CASCADE, primary_key=True, related_name="+")
    keep_months = models.PositiveSmallIntegerField(default=KEPT_MONTHS)
    """Months after sending; 0: for ever."""
    digest = models.BooleanField(default=False)
    """Mondays at eight, in the company's time zone, each rep hears which of their clients clicked."""

    class Meta:
        verbose_name_plural = "campaign settings"

    def __str__(self) -> str:
        return f"campaign settings of company {self.pk}"


class DigestChoice(models.Model):
    """A rep who does not want the company's digest."""

    seat = models.OneToOneField(Seat, on_delete=models.CASCADE, primary_key=True, related_name="+")
    wanted = models.BooleanField(default=True)
    chosen_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"digest choice of seat {self.pk}"


class Digest(models.Model):
    """That a rep's digest of one week was sent, or is to be: once, however many workers there are.

    Only a process that is killed right after handing the mail over sends it again.
    """

    seat = models.ForeignKey(Seat, on_delete=models.CASCADE, related_name="+")
    week = models.DateField()
    """The Monday after the week it tells of."""
    sent_at = models.DateTimeField(null=True, blank=True)
    clicks = models.IntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["seat", "week"], name="campaigns_digest_once")]

    def __str__(self) -> str:
        return f"digest {self.pk}"
