"""Everybody who was tracked, for a review of roles: in one video with places for crops, and over all videos."""

from __future__ import annotations

from visionllm_interaction.analysis.role_review import Person, crop_places, people_in
from visionllm_interaction.server.schemas.people import PersonCrop, RolesToConfirm, TrackedPerson, VideoPeople
from visionllm_interaction.store.reader import Store


def people_of_video(store: Store, video_id: str) -> VideoPeople:
    """Everybody in a video, each with places where they can be seen well.

    Args:
        store: the open store.
        video_id: a video in the store.

    Returns:
        The people, by track id.
    """
    people, detections = people_in(store, video_id), store.detections(video_id)
    places = crop_places(detections, [person.track_id for person in people])
    times = dict(zip(detections["frame_index"].to_pylist(), detections["timestamp_s"].to_pylist(), strict=True))
    crops: dict[int, dict[int, PersonCrop]] = {}
    for frame, found in places.items():
        for track_id, number, (x1, y1, x2, y2) in found:
            crop = PersonCrop(time_s=times[frame], box_xyxy=(x1, y1, x2, y2))
            crops.setdefault(track_id, {})[number] = crop
    ordered = {track_id: [found[n] for n in sorted(found)] for track_id, found in crops.items()}
    return VideoPeople(
        video_id=video_id, people=[_tracked(video_id, one, ordered.get(one.track_id, [])) for one in people]
    )


def roles_to_confirm(store: Store, *, limit: int) -> RolesToConfirm:
    """People of all videos whose role nobody has confirmed.

    Args:
        store: the open store.
        limit: most people in the answer.

    Returns:
        Unknown roles first, then those whose probability is nearest to a half, then by video and track.
    """
    waiting = [
        (video_id, one) for video_id in store.video_ids() for one in people_in(store, video_id) if not one.reviewed
    ]
    waiting.sort(key=lambda item: (item[1].role is not None, _certainty(item[1]), item[0], item[1].track_id))
    shown = waiting[:limit]
    return RolesToConfirm(
        total=len(waiting),
        people=[_tracked(video_id, one, []) for video_id, one in shown],
        names={video_id: store.video(video_id)["source"]["name"] for video_id, _ in shown},
    )


def _certainty(person: Person) -> float:
    """How far the probability is from a half; 0.5 where there is none, so that guesses of images come first."""
    return 0.5 if person.child_probability is None else abs(person.child_probability - 0.5)


def _tracked(video_id: str, person: Person, crops: list[PersonCrop]) -> TrackedPerson:
    return TrackedPerson.model_validate({"video_id": video_id, **person.to_dict(), "crops": crops})
