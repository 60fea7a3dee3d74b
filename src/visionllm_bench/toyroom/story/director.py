"""Turns actions (walk, pick up, hand over …) into the movements and actions of a script."""

from __future__ import annotations

from visionllm_bench.toyroom.drawing.furniture import SURFACE
from visionllm_bench.toyroom.drawing.hand_placement import carry_point
from visionllm_bench.toyroom.story.script import (
    Action,
    FurniturePiece,
    PersonPart,
    Script,
    Stay,
    TimeSpan,
    arm_reach,
    resting_centre,
    straight_distance,
)

REACH_S = 0.72
"""Time to bend down and reach for a toy."""
LIFT_S = 0.64
"""Time to bring a gripped toy to where it is carried."""
_SETTLE_S = 0.12


class Director:
    """Adds actions to a script. Every person has a clock; an action starts when the persons in it are free."""

    def __init__(self, script: Script) -> None:
        self.script = script

    def height(self, number: int) -> float:
        """A person's height in pixels where they stand now."""
        part = self.script.agents[number]
        return part.member.size * self.script.room.scale_at(part.y.last)

    def wait(self, number: int, seconds: float) -> None:
        """Do nothing for some seconds."""
        self.script.agents[number].clock_s += seconds

    def meet(self, *numbers: int) -> float:
        """Let everyone wait for the slowest; returns the common time."""
        parts = [self.script.agents[n] for n in numbers]
        time = max(part.clock_s for part in parts)
        for part in parts:
            part.clock_s = time
        return time

    def walk(self, number: int, x: float, y: float, *, speed: float = 0.8) -> TimeSpan:
        """Walk to (``x``, ``y``) at ``speed`` body heights per second."""
        part = self.script.agents[number]
        distance = straight_distance((part.x.last, part.y.last), (x, y))
        span = TimeSpan(part.clock_s, part.clock_s + max(distance / (speed * self.height(number)), 0.2))
        if distance < 4:
            return TimeSpan(span.begin_s, span.begin_s)
        self.face(number, 1 if x >= part.x.last else -1)
        part.x.move(span.begin_s, span.end_s, to=x)
        part.y.move(span.begin_s, span.end_s, to=y)
        part.walks.append(span)
        part.clock_s = span.end_s
        return span

    def face(self, number: int, side: int) -> None:
        """Turn to the left (−1), the right (1) or the camera (0); carried toys come along."""
        part = self.script.agents[number]
        part.facing.jump(part.clock_s, to=2 * side)
        if part.holds is not None and side:
            x, _ = carry_point(part.member, forward=side)
            part.hand_x.move(part.clock_s, part.clock_s + 0.3, to=x)

    def walk_in(self, number: int, x: float, y: float, *, speed: float = 0.8) -> None:
        """Come from outside the image (where the person must be) to (``x``, ``y``)."""
        self.script.walks_in.append((number, self.walk(number, x, y, speed=speed)))

    def walk_out(self, number: int, side: int, *, speed: float = 0.8) -> None:
        """Leave the image to the left (−1) or right (1)."""
        x = outside(self.script, self.height(number), side)
        self.script.walks_out.append((number, self.walk(number, x, self.script.agents[number].y.last, speed=speed)))

    def approach_toy(self, number: int, toy: int, *, side: int) -> None:
        """Walk up to a lying toy, with it in reach: ``side`` 1 to its left (facing right), −1 to its right."""
        stay = self.script.toys[toy].stays[-1]
        y = stay.y - 2.0 if not stay.lift else stay.y + 5.0
        scale = self.script.room.scale_at(y)
        reach = arm_reach(self.script.agents[number].member) * self.script.agents[number].member.size * scale
        self.walk(number, stay.x - side * reach, y)
        self.face(number, side)

    def pick_up(self, number: int, toy: int) -> float:
        """Grip a toy in reach and bring it to where it is carried; returns the moment of gripping."""
        part, gripped = self.script.agents[number], self.script.toys[toy]
        centre = resting_centre(self.script.room, gripped, gripped.stays[-1])
        begin = part.clock_s + _SETTLE_S
        moment = begin + REACH_S
        self._reach(part, centre, toy, span=TimeSpan(begin, moment))
        self._hold(part, toy, moment=moment)
        self.script.actions.append(Action("picks_up", (number, toy), moment))
        return moment

    def put_down(self, number: int, toy: int, *, on: FurniturePiece | None = None) -> float:
        """Put a carried toy on the floor in front, or on a table in reach; returns the moment of letting go."""
        part, room = self.script.agents[number], self.script.room
        side = 1 if part.facing.last > 0 else -1
        height = self.height(number)
        x = part.x.last + side * arm_reach(part.member) * height
        moment = part.clock_s + _SETTLE_S + LIFT_S
        if on is None:
            stay = Stay(moment, x, part.y.last + 2.0)
        else:
            stay = Stay(moment, x, on.y, SURFACE[on.appearance.kind] * room.scale_at(on.y))
        centre = resting_centre(room, self.script.toys[toy], stay)
        self._point(part, centre, span=TimeSpan(part.clock_s + _SETTLE_S, moment))
        self.script.toys[toy].stays.append(stay)
        self._release(part, moment=moment)
        self.script.actions.append(Action("puts_down", (number, toy), moment))
        return moment

    def hand_over(self, giver: int, receiver: int) -> float:
        """Give what ``giver`` carries to ``receiver``, who stands in reach; returns the moment of the change."""
        a, b = self.script.agents[giver], self.script.agents[receiver]
        begin = self.meet(giver, receiver) + 0.2
        moment = begin + 0.9
        toy = a.holds
        if toy is None:
            raise ValueError("the giver holds nothing")
        up = min(0.55 * self.height(giver), 0.6 * self.height(receiver))
        reach_a, reach_b = (arm_reach(p.member) * self.height(p.member.number) for p in (a, b))
        share = reach_a / (reach_a + reach_b)
        x = a.x.last + (b.x.last - a.x.last) * share
        y = (a.y.last + b.y.last) / 2 - up
        self._point(a, (x, y), span=TimeSpan(begin, moment))
        self._reach(b, (x, y), toy, span=TimeSpan(begin, moment))
        self._release(a, moment=moment)
        self._hold(b, toy, moment=moment)
        self.script.actions.append(Action("hands_over", (giver, receiver, toy), moment))
        return moment

    def duck(self, number: int, seconds: float) -> None:
        """Squat down for some seconds."""
        part = self.script.agents[number]
        part.crouch.move(part.clock_s, part.clock_s + 0.5, to=1.0)
        part.clock_s += 0.5 + seconds
        part.crouch.move(part.clock_s, part.clock_s + 0.5, to=0.0)
        part.clock_s += 0.5

    def _reach(self, part: PersonPart, centre: tuple[float, float], toy: int, *, span: TimeSpan) -> None:
        """Bring empty hands to ``centre``; the grip stays on until it is released."""
        member = self.script.toys[toy].member
        half = member.size / part.member.size / 2
        side = 1 if part.facing.last > 0 else -1
        start_x, start_y = 0.06 * side, 0.42
        part.hand_x.move(span.begin_s, span.begin_s, to=start_x)
        part.hand_y.move(span.begin_s, span.begin_s, to=start_y)
        part.grips.append((TimeSpan(span.begin_s, float("inf")), half))
        self._point(part, centre, span=span)

    def _point(self, part: PersonPart, centre: tuple[float, float], *, span: TimeSpan) -> None:
        """Move the gripping point to ``centre``, bending as far as needed."""
        height = self.height(part.member.number)
        x, up = (centre[0] - part.x.last) / height, (part.y.last - centre[1]) / height
        part.hand_x.move(span.begin_s, span.end_s, to=x)
        part.hand_y.move(span.begin_s, span.end_s, to=up)
        upright = 0.9 * carry_point(part.member, forward=1)[1]
        part.crouch.move(span.begin_s, span.end_s, to=min(max((upright - up) / (upright - 0.1), 0.0), 1.0))

    def _hold(self, part: PersonPart, toy: int, *, moment: float) -> None:
        side = 1 if part.facing.last > 0 else -1
        x, up = carry_point(part.member, forward=side)
        part.holds = toy
        self.script.toys[toy].stays.append(Stay(moment, held_by=part.member.number))
        part.hand_x.move(moment, moment + LIFT_S, to=x)
        part.hand_y.move(moment, moment + LIFT_S, to=up)
        part.crouch.move(moment, moment + LIFT_S, to=0.0)
        part.clock_s = moment + LIFT_S

    def _release(self, part: PersonPart, *, moment: float) -> None:
        span, half = part.grips[-1]
        part.grips[-1] = (TimeSpan(span.begin_s, moment + 0.3), half)
        part.holds = None
        side = 1 if part.facing.last > 0 else -1
        part.hand_x.move(moment, moment + 0.3, to=0.12 * side)
        part.hand_y.move(moment, moment + 0.3, to=0.4)
        part.crouch.move(moment, moment + 0.5, to=0.0)
        part.clock_s = moment + 0.5


def outside(script: Script, height: float, side: int) -> float:
    """A place just outside the canvas, to its left (−1) or right (1), for a person ``height`` pixels tall."""
    margin = 0.42 * height
    return -margin if side < 0 else script.room.width + margin
