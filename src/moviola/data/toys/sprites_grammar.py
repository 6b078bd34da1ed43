"""The caption language of the sprites: what the drawn parts are called (named by eye)."""

from __future__ import annotations

from moviola.data.grammar import Grammar
from moviola.data.slots import Rule, Slot, Value


def _values(heads: str, *rows: tuple[str, str] | tuple[str, str, str]) -> tuple[Value, ...]:
    return tuple(
        Value(
            name=row[0], words=tuple(row[1].split()), heads=tuple((row[2] if len(row) > 2 else heads).split())
        )
        for row in rows
    )


_SKIN = _values(
    "skin skinned",
    ("light skin", "light fair"),
    ("golden skin", "golden tan tanned"),
    ("grey skin", "grey gray"),
    ("pale skin", "pale bluish"),
    ("brown skin", "brown"),
    ("dark skin", "dark black"),
    ("green orc skin", "green orc", "skin skinned orc"),
)
_BOTTOM = _values(
    "trousers pants",
    ("white trousers", "white"),
    ("golden leggings", "golden gold yellow", "leggings trousers pants"),
    ("red trousers", "red"),
    ("steel leggings", "steel grey gray metal", "leggings trousers pants"),
    ("teal trousers", "teal blue"),
    ("green trousers", "green dark"),
    ("a brown skirt", "brown long", "skirt"),
)
_TOP = _values(
    "shirt sweater",
    ("a maroon shirt", "maroon red brown dark"),
    ("a teal shirt", "teal blue cyan"),
    ("a white shirt", "white"),
    ("a steel breastplate", "steel grey gray metal", "breastplate armour armor"),
    ("a leather vest", "leather brown", "vest"),
    ("chainmail", "grey gray steel", "chainmail mail"),
)
_TIE = Value(name="a shirt with a tie", phrases=("shirt with a tie", "shirt and tie", "tie"))
_TOP = (*_TOP[:5], _TIE, *_TOP[5:])
_HAIR = _values(
    "hair haired",
    ("messy green hair", "messy green"),
    ("a blue topknot", "blue", "topknot hair haired"),
    ("spiky orange hair", "spiky orange"),
    ("parted white hair", "parted white"),
    ("short crimson hair", "short crimson"),
    ("purple curls", "purple curly violet", "curls hair haired"),
    ("swept grey hair", "swept grey gray"),
    ("short red hair", "short red"),
    ("spiky pink hair", "spiky pink"),
    ("orange curls", "orange curly", "curls hair haired"),
)
_SHOES = _values(
    "boots shoes",
    ("brown boots", "brown leather"),
    ("golden boots", "golden gold yellow"),
    ("steel boots", "steel grey gray metal"),
)
_EYES = _values(
    "eyes eyed",
    ("blue eyes", "blue"),
    ("grey eyes", "grey gray"),
    ("red eyes", "red"),
    ("green eyes", "green"),
    ("yellow eyes", "yellow golden"),
)


def _phrases(name: str, *phrases: str) -> Value:
    return Value(name=name, phrases=(name, *phrases))


_ACTION = (
    _phrases("walks", "walk", "walking", "is walking", "goes", "going"),
    _phrases("slashes", "slash", "slashing", "strikes", "striking"),
    _phrases("thrusts", "thrust", "thrusting", "stabs", "stabbing"),
    _phrases("casts a spell", "cast a spell", "casting a spell", "casts", "casting", "spell"),
    _phrases("shoots", "shoot", "shooting", "shoots an arrow", "shoots a bow", "shooting an arrow"),
    _phrases("falls", "fall", "falling", "falls down", "falling down", "collapses", "dies"),
)
_FACING = (
    _phrases("away from the viewer", "away", "up", "upwards", "back", "backwards", "from behind"),
    _phrases("to the left", "left", "leftwards", "facing left"),
    _phrases(
        "towards the viewer",
        "toward the viewer",
        "towards us",
        "towards the camera",
        "toward the camera",
        "forward",
        "forwards",
        "down",
        "downwards",
        "front",
    ),
    _phrases("to the right", "right", "rightwards", "facing right"),
)

# Words that say nothing.
_SILENT = (
    "a an the person man woman someone somebody character hero figure with and in of who that "
    "is are wearing wears has having to at on facing looking they their his her he she while it "
    "one"
)

ACTIONS = tuple(v.name for v in _ACTION)
FACINGS = tuple(v.name for v in _FACING)

GRAMMAR = Grammar(
    template="a person with {skin}, {hair}, {eyes}, {top}, {bottom} and {shoes} {action} {facing}",
    slots=(
        Slot(name="skin", values=_SKIN, visible=True),
        Slot(name="bottom", values=_BOTTOM, visible=True),
        Slot(name="top", values=_TOP, visible=True),
        Slot(name="hair", values=_HAIR, visible=True),
        Slot(name="shoes", values=_SHOES, visible=True),
        Slot(name="eyes", values=_EYES, visible=True),
        Slot(name="action", values=_ACTION),
        Slot(name="facing", values=_FACING, visible=True),
    ),
    rules=(Rule(slot="action", value="falls", then="facing", only=("towards the viewer",)),),
    ignore=tuple(_SILENT.split()),
)
