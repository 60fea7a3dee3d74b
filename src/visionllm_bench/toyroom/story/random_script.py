"""Random stories: who is there, what lies where, and what happens."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from visionllm_bench.toyroom.categories import TOYS
from visionllm_bench.toyroom.drawing.furniture import SURFACE, random_furniture
from visionllm_bench.toyroom.drawing.keyframes import Curve, Steps
from visionllm_bench.toyroom.render.sprites import Room, random_member
from visionllm_bench.toyroom.story.director import Director, outside
from visionllm_bench.toyroom.story.script import FurniturePiece, PersonPart, Script, Stay, ToyPart, arm_reach

_EPISODE_S = 8.5
"""The longest episode takes about this long."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A place on the floor or on a table, as shares of the canvas width and of the floor's depth."""

    x: float
    depth: float


def random_script(rng: np.random.Generator, room: Room, *, duration_s: float, children: int, caregivers: int) -> Script:
    """A story of ``duration_s`` seconds in ``room``."""
    pieces, table = _furnish(rng, room)
    script = Script(room, duration_s, pieces, {}, {})
    kinds = ["child"] * children + ["caregiver"] * caregivers
    for number, kind in enumerate(kinds, start=1):
        script.agents[number] = _agent(rng, script, number, kind, lane=number - 1, lanes=len(kinds))
    _scatter(rng, script, table=table, first=len(kinds) + 1)
    _tell(rng, Director(script), table=table)
    return script


def _row(room: Room, depth: float) -> float:
    return room.horizon + depth * (room.height - room.horizon)


def _home_row(rng: np.random.Generator, room: Room) -> float:
    """People who do nothing stay at the back, well away from the toys at the front."""
    return _row(room, float(rng.uniform(0.2, 0.32)))


def _furnish(rng: np.random.Generator, room: Room) -> tuple[list[FurniturePiece], FurniturePiece | None]:
    """Some furniture along the wall, a screen to hide behind, and perhaps a table that is used."""
    pieces: list[FurniturePiece] = []
    for x in rng.permutation([0.08, 0.5, 0.93])[: int(rng.integers(1, 3))]:
        kind = str(rng.choice(["sofa", "plant", "lamp", "plant"]))
        pieces.append(FurniturePiece(random_furniture(rng, kind), float(x) * room.width, _row(room, 0.06)))
    screen_x = float(rng.choice([0.2, 0.78])) * room.width
    pieces.append(FurniturePiece(random_furniture(rng, "screen"), screen_x, _row(room, 0.2)))
    if rng.random() < 0.75:
        x = (0.78 if screen_x < room.width / 2 else 0.22) * room.width
        table = FurniturePiece(random_furniture(rng, "table" if rng.random() < 0.6 else "chest"), x, _row(room, 0.3))
        return [*pieces, table], table
    return pieces, None


def _agent(rng: np.random.Generator, script: Script, number: int, kind: str, *, lane: int, lanes: int) -> PersonPart:
    member = random_member(rng, number, kind)
    x = (lane + 0.5) / lanes * script.room.width
    y = _home_row(rng, script.room)
    if kind == "caregiver" or rng.random() < 0.35:
        side = -1 if x < script.room.width / 2 else 1
        x = outside(script, member.size * script.room.scale_at(y), side)
    return PersonPart(member, Curve(x), Curve(y), Steps(0))


def _scatter(rng: np.random.Generator, script: Script, *, table: FurniturePiece | None, first: int) -> None:
    """Things on the floor, well apart, and one on the table."""
    room = script.room
    kinds = [str(kind) for kind in rng.permutation(TOYS)[: int(rng.integers(3, 5))]]
    slots = [float(x) for x in rng.permutation([0.1, 0.5, 0.9])]
    for n, kind in enumerate(kinds):
        member = random_member(rng, first + n, kind)
        angle = float(np.round(rng.uniform(-0.15, 0.15), 2))
        if table is not None and n == 0:
            at = table.x + float(rng.uniform(-0.3, 0.3)) * table.appearance.width * room.unit / 2
            stay = Stay(float("-inf"), at, table.y, SURFACE[table.appearance.kind] * room.scale_at(table.y))
        elif slots:
            x = slots.pop() + float(rng.uniform(-0.03, 0.03))
            stay = Stay(float("-inf"), x * room.width, _row(room, float(rng.uniform(0.84, 0.96))))
        else:
            break
        script.toys[member.number] = ToyPart(member, angle, [stay])


def _tell(rng: np.random.Generator, director: Director, *, table: FurniturePiece | None) -> None:
    """Episodes until the time is used up; then some leave."""
    script = director.script
    for number in script.agents:
        director.wait(number, float(rng.uniform(0.3, 1.2)))
        _come_in(rng, director, number)
    first = True
    while True:
        free = sorted(script.agents, key=lambda n: script.agents[n].clock_s)
        actor = free[0]
        left = script.duration_s - script.agents[actor].clock_s
        if left < _EPISODE_S * 0.75:
            break
        partner = free[-1] if len(free) > 1 else None
        chance = float(rng.random())
        if partner is not None and (first or chance < 0.4) and left > _EPISODE_S:
            _give(rng, director, actor, partner)
        elif chance > 0.75 and script.agents[actor].member.category == "child":
            _hide(rng, director, actor)
        elif chance < 0.68 or partner is None:
            _fetch(rng, director, actor, table=table)
        else:
            _visit(rng, director, actor, partner)
        first = False
    _depart(rng, director)


def _come_in(rng: np.random.Generator, director: Director, number: int) -> None:
    room = director.script.room
    part = director.script.agents[number]
    if not 0 <= part.x.last <= room.width:
        director.wait(number, float(rng.uniform(0.3, 1.5)))
        x = 0.26 if part.x.last < 0 else 0.74
        director.walk_in(number, x * room.width, part.y.last)
        director.wait(number, float(rng.uniform(0.2, 0.8)))


def _resting(director: Director) -> list[int]:
    return [n for n, toy in director.script.toys.items() if toy.stays[-1].held_by is None]


def _take(rng: np.random.Generator, director: Director, number: int) -> int | None:
    """Go to a toy nobody holds and pick it up."""
    clock = director.script.agents[number].clock_s
    options = [n for n in _resting(director) if director.script.toys[n].stays[-1].begin_s <= clock]
    if not options:
        return None
    toy = options[int(rng.integers(len(options)))]
    stay = director.script.toys[toy].stays[-1]
    room, part = director.script.room, director.script.agents[number]
    side = 1 if part.x.last < stay.x else -1
    reach = arm_reach(part.member) * director.height(number)
    if not 0.05 * room.width < stay.x - side * reach < 0.95 * room.width:
        side = -side
    director.approach_toy(number, toy, side=side)
    director.pick_up(number, toy)
    return toy


def _give(rng: np.random.Generator, director: Director, giver: int, receiver: int) -> None:
    """Pick something up, bring it to the other, who holds it a while and may put it down."""
    script = director.script
    if script.agents[receiver].holds is not None:
        director.put_down(receiver, script.agents[receiver].holds or 0)
    toy = script.agents[giver].holds or _take(rng, director, giver)
    if toy is None:
        return
    a, b = script.agents[giver], script.agents[receiver]
    director.wait(giver, float(rng.uniform(0.2, 0.6)))
    side = 1 if a.x.last < b.x.last else -1
    reach = sum(arm_reach(p.member) * director.height(p.member.number) for p in (a, b))
    director.walk(giver, b.x.last - side * reach, b.y.last - 3.0)
    director.face(giver, side)
    director.meet(giver, receiver)
    director.face(receiver, -side)
    director.hand_over(giver, receiver)
    director.wait(giver, float(rng.uniform(0.6, 1.6)))
    _step_away(rng, director, giver)
    director.wait(receiver, float(rng.uniform(1.2, 2.5)))
    if rng.random() < 0.75:
        _lay(rng, director, receiver, toy)


def _fetch(rng: np.random.Generator, director: Director, number: int, *, table: FurniturePiece | None) -> None:
    """Pick something up, carry it somewhere else, put it down."""
    script = director.script
    part = script.agents[number]
    toy = part.holds or _take(rng, director, number)
    if toy is None:
        director.wait(number, 2.0)
        return
    director.wait(number, float(rng.uniform(0.3, 1.2)))
    occupied = any(t.stays[-1].lift and t.stays[-1].held_by is None for t in script.toys.values())
    if table is not None and not occupied and rng.random() < 0.5:
        reach = arm_reach(part.member) * director.height(number)
        side = 1 if part.x.last < table.x else -1
        director.walk(number, table.x - side * reach, table.y + 5.0)
        director.face(number, side)
        director.put_down(number, toy, on=table)
    else:
        _lay(rng, director, number, toy)
        return
    director.wait(number, float(rng.uniform(0.3, 1.0)))
    _step_away(rng, director, number)


def _lay(rng: np.random.Generator, director: Director, number: int, toy: int) -> None:
    """Put what is carried on the floor at the front, away from everything, and go back."""
    room = director.script.room
    x = _clear_place(rng, director, number)
    side = 1 if director.script.agents[number].x.last < x else -1
    director.walk(number, x, _row(room, float(rng.uniform(0.8, 0.92))))
    director.face(number, side)
    director.put_down(number, toy)
    director.wait(number, float(rng.uniform(0.3, 1.0)))
    _step_away(rng, director, number)


def _clear_place(rng: np.random.Generator, director: Director, number: int) -> float:
    """A column away from people and lying toys."""
    script = director.script
    taken = [p.x.last for n, p in script.agents.items() if n != number]
    taken += [script.toys[n].stays[-1].x for n in _resting(director)]
    options = rng.uniform(0.15, 0.85, 12) * script.room.width
    gaps = [min((abs(x - t) for t in taken), default=1e9) for x in options]
    return float(options[int(np.argmax(gaps))])


def _hide(rng: np.random.Generator, director: Director, number: int) -> None:
    """Squat behind the screen, and come back."""
    part = director.script.agents[number]
    screen = next(p for p in director.script.furniture if p.appearance.kind == "screen")
    back = (part.x.last, part.y.last)
    director.walk(number, screen.x, screen.y - 6.0)
    director.duck(number, float(rng.uniform(1.5, 2.5)))
    director.walk(number, *back)


def _visit(rng: np.random.Generator, director: Director, actor: int, partner: int) -> None:
    """Go close to the other, stay some seconds, go away again."""
    b = director.script.agents[partner]
    a = director.script.agents[actor]
    side = 1 if a.x.last < b.x.last else -1
    gap = 0.24 * director.height(actor)
    director.walk(actor, b.x.last - side * gap, b.y.last - 3.0)
    director.face(actor, side)
    director.wait(actor, float(rng.uniform(1.5, 3.0)))
    _step_away(rng, director, actor)


def _step_away(rng: np.random.Generator, director: Director, number: int) -> None:
    x = _clear_place(rng, director, number)
    director.walk(number, x, _home_row(rng, director.script.room))
    director.face(number, int(rng.integers(-1, 2)))


def _depart(rng: np.random.Generator, director: Director) -> None:
    script = director.script
    for number, part in script.agents.items():
        left = script.duration_s - part.clock_s
        side = -1 if part.x.last < script.room.width / 2 else 1
        way = abs(outside(script, director.height(number), side) - part.x.last)
        if part.holds is None and left > way / (0.8 * director.height(number)) + 0.4 and rng.random() < 0.7:
            director.wait(number, min(0.3, left / 4))
            director.walk_out(number, side)
