"""Names and words by which sources say whether something is public: lower case, letters and digits alone."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


HIDING = _words(
    """
    draft isdraft drafts indraft hidden ishidden private isprivate unlisted isunlisted unpublished isunpublished
    archived isarchived trashed istrashed deleted isdeleted disabled isdisabled inactive headless expired isexpired
    wip embargoed membersonly protected eleventyexcludefromcollections
    """
)
"""Keys whose value `true` keeps an item from the public."""
SHOWING = _words(
    """
    published ispublished publish public ispublic visible isvisible live islive active isactive enabled isenabled
    listed online isonline released isreleased approved isapproved render dgpublish
    """
)
"""Keys whose value `false` does."""
STATUS = _words(
    """
    status poststatus publicationstatus publishstatus publishingstatus contentstatus entrystatus pagestatus
    visibility postvisibility publicationstate publishstate moderationstate
    """
)
"""Keys that hold a word, where a word that nobody knows is a doubt."""
WORDS = STATUS | {
    "state",
    "stage",
    "workflow",
    "workflowstate",
    "workflowstatus",
    "workflowstage",
    "reviewstatus",
    "access",
    "privacy",
}
"""The same, and those where it is none: states of a country have this name too."""
SECRETS = frozenset({"password", "postpassword"})
STARTS = _words(
    """
    date dategmt postdate postdategmt publishdate publisheddate publishedat publishedon publishat publishon
    publishedtime publishtime datepublished publicationdate publishingdate pubdate publishup publishfrom
    startpublishing firstpublishedat releasedate releasedat golive goliveat golivedate liveat livefrom livedate
    embargo embargodate embargountil availablefrom availableat visiblefrom validfrom scheduledat scheduledfor
    scheduleddate scheduled scheduleat scheduledate
    """
)
SAID_BY_NOTHING = _words(
    """
    publishedat publishedon datepublished firstpublishedat published ispublished
    """
)
"""Keys that only what is published has a value for."""
ENDS = _words(
    """
    expirydate expires expiresat expireson expireat expiry expirationdate expiredate expiration unpublishdate
    unpublishat unpublishon unpublishedat publishdown publishuntil publishto endpublishing availableuntil validuntil
    validto visibleuntil liveuntil archivedat archiveat deletedat trashedat offlineat
    """
)
GROUPS = _words(
    """
    extra params meta metadata attributes fields sys properties frontmatter attrs front post page node entry wp
    publication publishing system
    """
)
"""Objects that hold marks of the row, not of something else that it names."""

TRUE = frozenset({"true", "yes", "y", "1", "on", "t", "checked", "x", "✓", "always"})
FALSE = frozenset({"false", "no", "n", "0", "off", "f", "unchecked", "never"})
HIDDEN_WORDS = (
    HIDING
    | FALSE
    | _words(
        """
    pending pendingreview trash autodraft archive internal confidential restricted secret password passwordprotected
    member members paid tiers subscribers review inreview underreview needsreview readyforreview needswork idea
    inprogress todo rejected withdrawn offline staged notpublished unpublish onhold embargo invisible nobody
    """
    )
)
SCHEDULED_WORDS = frozenset({"future", "scheduled", "schedule"})
PUBLIC_WORDS = _words(
    """
    published publish public live active visible online released sent featured everyone current listed enabled all
    true yes 1 on
    """
)
