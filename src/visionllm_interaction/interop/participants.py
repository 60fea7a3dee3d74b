"""Whom a tier or speaker is about: the names of the field as roles, by a table that can be edited."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType

PARTICIPANTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "child": (
            "chi", "kchi", "chn", "cxx", "key child", "key_child", "target child", "target_child", "the child",
            "baby", "infant", "toddler", "barn", "barnet", "baby'en", "spedbarn", "kind", "enfant", "c",
        ),
        "caregiver": (
            "mot", "mother", "mom", "mum", "mommy", "mummy", "mamma", "mor", "moren", "mutter", "mère",
            "fat", "father", "dad", "daddy", "pappa", "papa", "far", "faren", "vater", "père",
            "parent", "forelder", "foreldre", "omsorgsperson", "omsorgsgiver", "carer", "adult", "voksen",
            "fem", "mal", "fan", "man", "fa1", "ma1",
        ),
        "other child": (
            "och", "cxn", "sib", "sibling", "sis", "sister", "bro", "brother", "søsken", "søster", "bror",
            "uc1", "fc1", "mc1", "uc2", "fc2", "mc2", "other_child", "annet barn",
        ),
    }
)  # fmt: skip
"""Role → names for it, in small letters: CHAT, ACLEW, LENA and VTC codes, English and Norwegian words."""


def role_table(more: Mapping[str, Iterable[str]] = MappingProxyType({})) -> dict[str, str]:
    """Name in small letters → role.

    Args:
        more: role → further names; they go before those of :data:`PARTICIPANTS`.

    Returns:
        The table.
    """
    table = {name.casefold(): role for role, names in PARTICIPANTS.items() for name in (role, *names)}
    return table | {name.casefold(): role for role, names in more.items() for name in names}


def resolve(name: str, known: Collection[str], table: Mapping[str, str]) -> str | None:
    """The role or category that a participant's name stands for.

    Args:
        name: as the coded file has it.
        known: roles and categories of the store.
        table: name in small letters → role.

    Returns:
        A name of the store in the store's own letters, else a role of the table; None if the name is neither.
    """
    plain = " ".join(name.casefold().split())
    own = next((one for one in sorted(known) if one.casefold() == plain), None)
    return own or table.get(plain)
