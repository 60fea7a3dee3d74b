"""What everybody does and when: the script of a video, and the room at any moment of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from visionllm_bench.toyroom.drawing.furniture import FurnitureAppearance
from visionllm_bench.toyroom.drawing.hand_placement import gripping
from visionllm_bench.toyroom.drawing.keyframes import Curve, Steps
from visionllm_bench.toyroom.drawing.people import Pose
from visionllm_bench.toyroom.render.sprites import Member, Room, Standing, main_sprite


@dataclass(frozen=True, slots=True)
class TimeSpan:
    """Half-open time interval in seconds."""

    begin_s: float
    end_s: float

    def holds(self, time: float) -> bool:
        """Whether ``time`` lies in the interval."""
        return self.begin_s <= time < self.end_s


@dataclass(frozen=True, slots=True)
class FurniturePiece:
    """A piece of furniture on the floor at (``x``, ``y``)."""

    appearance: FurnitureAppearance
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Stay:
    """From ``begin_s`` on a toy lies at (``x``, ``y``), ``lift`` pixels above the floor, or somebody holds it."""

    begin_s: float
    x: float = 0.0
    y: float = 0.0
    lift: float = 0.0
    held_by: int | None = None


@dataclass(frozen=True, slots=True)
class Action:
    """Something done at a moment: ``kind`` as in ``core.predicates.EVENT_KINDS``; who did it, to what."""

    kind: str
    numbers: tuple[int, ...]
    time_s: float


@dataclass
class PersonPart:
    """One person's movements; built up by the director, then only read.

    ``hand_x``, ``hand_y`` are the point the hands grip, (right, up) as shares of the person's height; ``grips`` are
    the times the hands are used, with the half width of what they grip.
    """

    member: Member
    x: Curve
    y: Curve
    facing: Steps
    crouch: Curve = field(default_factory=lambda: Curve(0.0))
    hand_x: Curve = field(default_factory=lambda: Curve(0.0))
    hand_y: Curve = field(default_factory=lambda: Curve(0.0))
    walks: list[TimeSpan] = field(default_factory=list)
    grips: list[tuple[TimeSpan, float]] = field(default_factory=list)
    clock_s: float = 0.0
    holds: int | None = None


@dataclass
class ToyPart:
    """Where a toy is over time."""

    member: Member
    angle: float
    stays: list[Stay]

    def stay_at(self, time: float) -> Stay:
        """What the toy is doing at ``time``."""
        current = self.stays[0]
        for stay in self.stays[1:]:
            if stay.begin_s > time:
                break
            current = stay
        return current


@dataclass
class Script:
    """A whole video's plan: the room, its furniture, the people's and toys' parts, and the actions."""

    room: Room
    duration_s: float
    furniture: list[FurniturePiece]
    agents: dict[int, PersonPart]
    toys: dict[int, ToyPart]
    actions: list[Action] = field(default_factory=list)
    walks_in: list[tuple[int, TimeSpan]] = field(default_factory=list)
    walks_out: list[tuple[int, TimeSpan]] = field(default_factory=list)

    @property
    def members(self) -> list[Member]:
        """Everyone and everything, by number."""
        parts: list[PersonPart | ToyPart] = [*self.agents.values(), *self.toys.values()]
        return sorted((part.member for part in parts), key=lambda member: member.number)

    def at(self, time: float) -> list[Standing]:
        """Everyone and everything at ``time``."""
        people = {number: _person_at(self.room, part, time) for number, part in self.agents.items()}
        toys = [_thing_at(self.room, part, people, self.agents, time=time) for part in self.toys.values()]
        return [*people.values(), *toys]


def _person_at(room: Room, part: PersonPart, time: float) -> Standing:
    x, y = part.x.at(time), part.y.at(time)
    scale = room.scale_at(y)
    height = part.member.size * scale
    walking = any(span.begin_s + 0.04 < time < span.end_s - 0.06 for span in part.walks)
    stride = 1 + int((abs(x) + 0.8 * abs(y)) / (0.62 * height * _pace(part.member)) * 16) % 16 if walking else 0
    facing = part.facing.at(time)
    pose = Pose(facing=facing, stride=stride, crouch=round(part.crouch.at(time) * 10))
    grip = next((half for span, half in part.grips if span.holds(time)), None)
    if grip is not None:
        pose = gripping(pose, (part.hand_x.at(time), part.hand_y.at(time)), half=grip)
    return Standing(part.member, x, y, scale, pose=pose, depth=y)


def _pace(member: Member) -> float:
    return 0.7 if member.category == "child" else 1.0


def _thing_at(
    room: Room, part: ToyPart, people: dict[int, Standing], agents: dict[int, PersonPart], *, time: float
) -> Standing:
    stay = part.stay_at(time)
    if stay.held_by is None:
        depth = stay.y + (0.1 if stay.lift else 0.0)
        return Standing(part.member, stay.x, stay.y, room.scale_at(stay.y), stay.lift, angle=part.angle, depth=depth)
    holder, hands = people[stay.held_by], agents[stay.held_by]
    height = holder.member.size * holder.scale
    centre = (holder.x + hands.hand_x.at(time) * height, holder.y - hands.hand_y.at(time) * height)
    return Standing(
        part.member, holder.x, holder.y, holder.scale, angle=part.angle, depth=holder.depth + 0.01, centre=centre
    )


def resting_centre(room: Room, part: ToyPart, stay: Stay) -> tuple[float, float]:
    """Centre of a toy that lies at ``stay``, in canvas pixels."""
    standing = Standing(part.member, stay.x, stay.y, room.scale_at(stay.y), angle=part.angle)
    return (stay.x, stay.y - stay.lift - main_sprite(standing).bounds[3])


def arm_reach(member: Member) -> float:
    """How far in front of the feet a person comfortably grips something, as a share of the height."""
    return 0.3 if member.category == "child" else 0.2


def straight_distance(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Distance in pixels between two points on the canvas."""
    return math.hypot(a[0] - b[0], a[1] - b[1])
