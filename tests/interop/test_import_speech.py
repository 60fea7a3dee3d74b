"""Speech from outside: RTTM, LENA, CHAT, Whisper, subtitles, ALICE; speakers, words and what is named."""

from __future__ import annotations

import json
import os
import random
import re
from pathlib import Path

import pytest
from exchange_store import make_store

from visionllm_interaction.core.tracks_relations_events import Code
from visionllm_interaction.errors import InputDataError, UsageError
from visionllm_interaction.interop.import_codes import ImportOptions, import_codes
from visionllm_interaction.interop.naming_moments import LemmaTable, words_of
from visionllm_interaction.interop.registry import read_timelines
from visionllm_interaction.interop.speech.chat import read_chat
from visionllm_interaction.interop.speech.lena import read_its
from visionllm_interaction.interop.speech.rttm import read_rttm
from visionllm_interaction.interop.speech.subtitles import read_subtitles
from visionllm_interaction.interop.speech.whisper import read_whisper
from visionllm_interaction.interop.tiers import Timeline
from visionllm_interaction.store.reader import open_store

REAL = Path(os.environ.get("VISIONLLM_TEST_DATA", "/nowhere")) / "formats" / "childproject"
real = pytest.mark.skipif(not REAL.is_dir(), reason="needs VISIONLLM_TEST_DATA")
Row = tuple[str, str, str, float, float]


def _rows(timeline: Timeline, kind: str = "speech") -> list[Row]:
    tiers = [tier for tier in timeline.tiers if tier.kind == kind]
    return sorted(
        ((t.name, t.participant, i.label, i.begin_s, i.end_s) for t in tiers for i in t.intervals),
        key=lambda row: row[3:],
    )


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return make_store(tmp_path / "store")


def _codes(store: Path) -> list[Code]:
    with open_store(store) as opened:
        return sorted(opened.codes("a"), key=lambda code: (code.begin_s, code.kind))


def _rttm(*speakers: str, recording: str = "a") -> str:
    return "".join(f"SPEAKER {recording} 1 {n}.25 0.5 <NA> <NA> {who} <NA> <NA>\n" for n, who in enumerate(speakers))


@pytest.mark.parametrize(
    ("speakers", "roles"),
    [
        (("KCHI", "CHI", "FEM", "MAL", "SPEECH"), ["child", "other child", "caregiver", "caregiver", ""]),
        (("KCHI", "OCH", "FEM"), ["child", "other child", "caregiver"]),
        (("CHI", "MOT"), ["child", "caregiver"]),  # no VTC: the child itself
        (("SPEAKER_00", "KCHI"), ["SPEAKER_00", "child"]),
    ],
)
def test_speakers_of_diarisation(store: Path, tmp_path: Path, speakers: tuple[str, ...], roles: list[str]) -> None:
    (tmp_path / "x.rttm").write_text("; a comment\n" + _rttm(*speakers))
    result = import_codes(tmp_path / "x.rttm", store, video_id="a")
    codes = _codes(store)
    assert [code.participant for code in codes] == roles
    assert [code.kind for code in codes] == ["code" if who == "SPEECH" else "speech" for who in speakers]
    assert [(code.begin_s, code.end_s) for code in codes] == [(n + 0.25, n + 0.75) for n in range(len(speakers))]
    assert list(result.unmatched) == [who for who in roles if who.startswith("SPEAKER")]


def test_an_rttm_of_many_recordings_gives_the_one_of_the_video(store: Path, tmp_path: Path) -> None:
    path = tmp_path / "all.rttm"
    path.write_text(_rttm("KCHI", recording="b") + _rttm("KCHI", "FEM", recording="a"))
    assert import_codes(path, store, video_id="a").codes == 2
    path.write_text(_rttm("KCHI", recording="b") + _rttm("FEM", recording="c"))
    with pytest.raises(UsageError, match="--observation"):
        import_codes(path, store, video_id="a")
    assert import_codes(path, store, video_id="a", options=ImportOptions(observation="c")).codes == 1


def test_kinds_of_vocalisations_are_no_second_speech(tmp_path: Path) -> None:
    (tmp_path / "x.rttm").write_text(_rttm("KCHI", "CRY", "CNS", "SPEECH"))
    [timeline] = read_rttm(tmp_path / "x.rttm").values()
    assert [row[2] for row in _rows(timeline, "code")] == ["cry", "canonical", ""]
    assert len(_rows(timeline)) == 1


def test_bad_lines_of_an_rttm_are_listed(tmp_path: Path) -> None:
    path = tmp_path / "x.rttm"
    path.write_text(_rttm("KCHI") + "SPEAKER a 1 nan 1 <NA> <NA> FEM <NA> <NA>\nSPEAKER a 1 2\n")
    [timeline] = read_rttm(path).values()
    assert [row.where for row in timeline.refused] == ["line 2", "line 3"]
    path.write_text("hello\n")
    with pytest.raises(InputDataError, match="RTTM"):
        read_rttm(path)


@real
@pytest.mark.parametrize("name", ["vtc.rttm", "vcm.rttm"])
def test_real_diarisation_is_read_whole(name: str) -> None:
    lines = [line.split() for line in (REAL / name).read_text().splitlines() if line.startswith("SPEAKER")]
    timelines = read_rttm(REAL / name)
    assert set(timelines) == {line[1] for line in lines}
    for recording, timeline in timelines.items():
        own = sorted((float(f[3]), float(f[3]) + float(f[4])) for f in lines if f[1] == recording)
        assert sorted((i.begin_s, i.end_s) for tier in timeline.tiers for i in tier.intervals) == own


ITS = """<?xml version="1.0"?><ITS fileName="x"><ProcessingUnit>
<Recording num="1" startTime="PT0.00S" endTime="PT4.00S" startClockTime="2024-01-01T08:00:00Z">
 <Conversation num="1"><Segment spkr="FAN" femaleAdultWordCnt="3.00" startTime="PT0.50S" endTime="PT1.25S"/>
 <Segment spkr="CHN" childUttCnt="1" startUtt1="PT1.30S" endUtt1="PT1.90S" startCry1="PT2.00S" endCry1="PT2.10S"
  startTime="PT1.25S" endTime="PT2.25S"/></Conversation>
 <Pause num="1"><Segment spkr="SIL" startTime="PT2.25S" endTime="PT3.00S"/>
 <Segment spkr="FAF" startTime="PT3.00S" endTime="PT4.00S"/></Pause></Recording>
<Recording num="2" startTime="PT6.00S" endTime="PT8.00S" startClockTime="2024-01-01T12:00:00Z">
 <Pause num="2"><Segment spkr="CXN" startTime="PT6.00S" endTime="PT7.00S"/></Pause></Recording>
</ProcessingUnit></ITS>"""


def test_lena_files(store: Path, tmp_path: Path) -> None:
    (tmp_path / "x.its").write_text(ITS)
    timeline = read_its(tmp_path / "x.its")
    assert _rows(timeline) == [
        ("FAN", "caregiver", "femaleAdultWordCnt=3.00", 0.5, 1.25),
        ("CHN", "child", "childUttCnt=1", 1.25, 2.25),
        ("CXN", "other child", "", 6.0, 7.0),
    ]
    assert timeline.coded == ((0.0, 4.0), (6.0, 8.0))
    others = {tier.name: [(i.begin_s, i.end_s) for i in tier.intervals] for tier in timeline.tiers}
    assert others["CHN utterances"] == [(1.3, 1.9)] and others["CHN cries"] == [(2.0, 2.1)]
    assert others["FAF"] == [(3.0, 4.0)] and others["SIL"] == [(2.25, 3.0)]
    result = import_codes(tmp_path / "x.its", store, video_id="a")
    assert result.tiers["coded"].codes == 2 and result.unmatched == {}


BULLET = "\x15"
CHAT = (
    "@UTF8\n@Begin\n@Participants:\tCHI Anna Target_Child, MOT Mother,\n\tGRA Grandmother\n@Media:\ta, video\n"
    f"*MOT:\tlook [/] look at the cup@o (.) [=! laughs] . {BULLET}1000_2100{BULLET}\n"
    f"%wor:\tlook {BULLET}1000_1200{BULLET} at {BULLET}1200_1300{BULLET} cups {BULLET}1500_2000{BULLET} .\n"
    f"*CHI:\txxx ba\n\tba . {BULLET}2600_3000{BULLET}\n*GRA:\tno time here .\n"
    "*GRA:\tyes the cup . 3400_4200\n*MOT:\tbackwards . 9000_8000\n@End\n"
)


def test_chat_transcripts(store: Path, tmp_path: Path) -> None:
    (tmp_path / "x.cha").write_text(CHAT)
    timeline = read_chat(tmp_path / "x.cha")
    assert _rows(timeline) == [
        ("MOT", "caregiver", "look at the cup .", 1.0, 2.1),
        ("CHI", "child", "ba ba .", 2.6, 3.0),
        ("GRA", "caregiver", "yes the cup .", 3.4, 4.2),
    ]
    assert [row[2:] for row in _rows(timeline, "word")] == [("look", 1.0, 1.2), ("at", 1.2, 1.3), ("cups", 1.5, 2.0)]
    assert "1 utterances without" in timeline.notes[0] and timeline.refused[0].where == "line 12"
    import_codes(tmp_path / "x.cha", store, video_id="a", options=ImportOptions(skip_bad=True))
    named = [(c.participant, c.label, c.begin_s, c.end_s) for c in _codes(store) if c.kind == "naming"]
    # The word where it has a time of its own, else the utterance.
    assert named == [("caregiver", "cup", 1.5, 2.0), ("caregiver", "cup", 3.4, 4.2)]


@real
def test_a_real_transcript_is_read_whole() -> None:
    text = (REAL / "vandam.cha").read_text()
    bullets = re.findall(r"(?m)^\*(\w+):(?:.*\n\t)*?.*\x15(\d+)_(\d+)\x15", text)
    found = sorted(
        (row[0], round(1000 * row[3]), round(1000 * row[4])) for row in _rows(read_chat(REAL / "vandam.cha"))
    )
    assert found == sorted((who, int(begin), int(end)) for who, begin, end in bullets) and len(found) > 10


def test_whisper_words_without_times_lie_between_their_neighbours(store: Path, tmp_path: Path) -> None:
    words = [
        {"word": "the", "start": 1.0, "end": 1.2},
        {"word": "2"},
        {"word": "cups", "start": 1.6, "end": 2.0, "speaker": "SPEAKER_01"},
    ]
    segments = [
        {"start": 1.0, "end": 2.1, "text": " the 2 cups", "speaker": "SPEAKER_00", "words": words},
        {"text": "x"},
    ]
    (tmp_path / "x.json").write_text(json.dumps({"segments": segments}))
    timeline = read_whisper(tmp_path / "x.json")
    assert _rows(timeline) == [("SPEAKER_00 speech", "SPEAKER_00", "the 2 cups", 1.0, 2.1)]
    assert [row[1:] for row in _rows(timeline, "word")] == [
        ("SPEAKER_00", "the", 1.0, 1.2),
        ("SPEAKER_00", "2", 1.2, 1.6),
        ("SPEAKER_01", "cups", 1.6, 2.0),
    ]
    assert [row.where for row in timeline.refused] == ["segment 2"]
    options = ImportOptions(skip_bad=True, speakers={"SPEAKER_00": "caregiver", "SPEAKER_01": "child"})
    assert import_codes(tmp_path / "x.json", store, video_id="a", options=options).unmatched == {}
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(InputDataError, match="segments"):
        read_whisper(tmp_path / "x.json")


SRT = "1\r\n00:00:01,000 --> 00:00:02,100\r\nMother: look,\r\na cup\r\n\r\n2\r\n00:00:02,600 --> 00:00:03,000\r\nba\r\n"
VTT = (
    "WEBVTT\n\nNOTE hi\n\n00:01.000 --> 00:02.100 align:start\n<v Mother>look,\na <b>cup</b>\n\n"
    "id\n00:00:02.600 --> 00:00:03.000\nba\n"
)


@pytest.mark.parametrize(("name", "content"), [("x.srt", SRT), ("x.vtt", VTT)])
def test_subtitles(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content, newline="")
    assert [row[1:] for row in _rows(read_subtitles(tmp_path / name))] == [
        ("Mother", "look, a cup", 1.0, 2.1),
        ("", "ba", 2.6, 3.0),
    ]
    (tmp_path / name).write_text("WEBVTT\n\nno cue in it\n")
    with pytest.raises(InputDataError, match="cues"):
        read_subtitles(tmp_path / name)


def test_alice_counts_per_utterance(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("a_0000010000_0000025000.wav 12.3 4.5 3.2\n")
    [(name, timeline)] = read_timelines(tmp_path / "x.txt").items()
    label = "words=3.2, syllables=4.5, phonemes=12.3"
    assert name == "a" and _rows(timeline, "code") == [("adult words", "caregiver", label, 1.0, 2.5)]


LEMMAS = LemmaTable(("cup", "ball", "book", "teddy bear", "bear", "knife", "toy box"), {"ball": ("sprettball",)})


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("Look, a ball!", ["ball"]),
        ("the balls and two cups", ["ball", "cup"]),
        ("ballen, baller og ballene", ["ball", "ball", "ball"]),
        ("koppene står ved boka", ["cup", "book"]),
        ("bøkene til sprettballen", ["book", "ball"]),
        ("the ball's on the cup’s edge", ["ball", "cup"]),
        ("a teddy bear, teddies? bears!", ["teddy bear", "teddy bear", "bear"]),
        ("knives and toy boxes", ["knife", "toy box"]),
        ("football, cupboard, callable", []),
        ("", []),
    ],
)
def test_words_in_all_their_forms(text: str, named: list[str]) -> None:
    assert [category for _, _, category in LEMMAS.find(words_of(text))] == named


def test_a_transcript_of_twenty_minutes_names_what_is_listed() -> None:
    rng = random.Random(7)
    forms = {
        "cup": ["cup", "cups", "koppen", "kopp", "kopper", "koppene"],
        "ball": ["ball", "balls", "ballen", "baller", "ballene"],
        "book": ["book", "books", "bok", "boka", "boken", "bøker", "bøkene"],
        "teddy bear": ["teddy bear", "teddy bears", "bamsen", "bamsene"],
    }
    others = ["look", "der", "the", "is", "en", "fin", "callous", "cupboard", "notebook", "og", "yes"]
    truth, said = [], []
    for n in range(400):
        text: list[str] = []
        for _ in range(rng.randint(1, 7)):
            if rng.random() < 0.25:
                category = rng.choice(list(forms))
                truth.append((n, category))
                text.append(rng.choice(forms[category]))
            else:
                text.append(rng.choice(others))
        said.append(" ".join(text).capitalize() + rng.choice(".!?"))
    lemmas = LemmaTable(forms)
    found = [(n, category) for n, text_ in enumerate(said) for _, _, category in lemmas.find(words_of(text_))]
    assert found == truth and len(truth) > 200


def test_naming_is_made_where_it_is_wanted(store: Path, tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    path.write_text("tier,participant,label,begin_s,end_s\nspeech,child,a cup,1,2\n")
    assert import_codes(path, store, video_id="a").codes == 1
    assert import_codes(path, store, video_id="a", options=ImportOptions(naming=True)).codes == 2
    (tmp_path / "x.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\na cup\n")
    options = ImportOptions(naming=False, participants={"speech": "mamma"})
    assert import_codes(tmp_path / "x.srt", store, video_id="a", options=options).codes == 1


SAID = [(1.5, 2.25, "look a ball"), (3.0, 4.0, "yes")]
RELATIVES = {
    "faster-whisper": [{"start": b, "end": e, "text": text} for b, e, text in SAID],
    "whisper.cpp": {
        "result": {"language": "en"},
        "transcription": [
            {"offsets": {"from": round(1000 * b), "to": round(1000 * e)}, "text": f" {text}"} for b, e, text in SAID
        ],
    },
    "transformers": {"text": "", "chunks": [{"timestamp": [b, e], "text": f" {text}"} for b, e, text in SAID]},
    "OpenAI's service": {"task": "transcribe", "segments": [{"start": b, "end": e, "text": t} for b, e, t in SAID]},
}


@pytest.mark.parametrize("kind", RELATIVES)
def test_transcripts_of_whisper_s_relatives(tmp_path: Path, kind: str) -> None:
    (tmp_path / "x.json").write_text(json.dumps(RELATIVES[kind]))
    rows = _rows(read_whisper(tmp_path / "x.json"))
    assert [(begin_s, end_s, label) for _, _, label, begin_s, end_s in rows] == SAID


def test_a_chunk_that_never_ends_costs_itself(tmp_path: Path) -> None:
    content = {"chunks": [{"timestamp": [1.5, 2.25], "text": " a"}, {"timestamp": [3.0, None], "text": " b"}]}
    (tmp_path / "x.json").write_text(json.dumps(content))
    timeline = read_whisper(tmp_path / "x.json")
    assert (len(_rows(timeline)), [row.where for row in timeline.refused]) == (1, ["segment 2"])


@pytest.mark.parametrize("bad", [10**400, "1", None, [1]])
@pytest.mark.parametrize("kind", ["offsets", "timestamp", "start"])
def test_a_time_that_is_none_costs_its_segment(tmp_path: Path, kind: str, bad: object) -> None:
    segments: dict[str, object] = {
        "offsets": {"transcription": [{"offsets": {"from": a, "to": 2500}, "text": "x"} for a in (1500, bad)]},
        "timestamp": {"chunks": [{"timestamp": [a, 2.5], "text": "x"} for a in (1.5, bad)]},
        "start": {"segments": [{"start": a, "end": 2.5, "text": "x", "words": 5} for a in (1.5, bad)]},
    }
    (tmp_path / "x.json").write_text(json.dumps(segments[kind]))
    timeline = read_whisper(tmp_path / "x.json")
    reads_texts = bad == "1" and kind != "offsets"
    assert (len(_rows(timeline)), len(timeline.refused)) == ((2, 0) if reads_texts else (1, 1))


def test_chat_bullets_that_name_the_file(tmp_path: Path) -> None:
    bullets = '\x15%snd:"a"_1500_2250\x15', '\x15%mov:"a b"_3000_4000\x15'
    lines = f"@UTF8\n@Begin\n*MOT:\tlook a ball . {bullets[0]}\n*CHI:\tyes . {bullets[1]}\n@End\n"
    (tmp_path / "x.cha").write_text(lines)
    assert _rows(read_chat(tmp_path / "x.cha")) == [
        ("MOT", "MOT", "look a ball .", 1.5, 2.25),
        ("CHI", "CHI", "yes .", 3.0, 4.0),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1\n00:03,0 --> 00:04,0\nI have\n3\n\n2\n00:05,0 --> 00:06,0\nnow\n7\n", ["I have 3", "now 7"]),
        ("00:03,0 --> 00:04,0\nI have\n3\n\n00:05,0 --> 00:06,0\n7\n", ["I have 3", "7"]),
        ("1\n00:03,0 --> 00:04,0\n3\n2\n00:05,0 --> 00:06,0\n7\n", ["3", "7"]),
        ("1\n00:03,0 --> 00:04,0\nlook\n\na ball\n\n2\n00:05,0 --> 00:06,0\nyes\n", ["look a ball", "yes"]),
        ("1\n00:03,0 --> 00:04,0\n\n2\n00:05,0 --> 00:06,0\nyes\n", ["", "yes"]),
        ("1\n\n00:03,0 --> 00:04,0\nhei\n\n2\n\n00:05,0 --> 00:06,0\n7\n", ["hei", "7"]),
        ("7\n00:03,0 --> 00:04,0\nhei\n\n9\n \n\n00:05,0 --> 00:06,0\nyes\n", ["hei", "yes"]),
        ("00:03,0 --> 00:04,0\nI have\n\n3\n\n00:05,0 --> 00:06,0\n7\n", ["I have 3", "7"]),
        (f"1\n00:03,0 --> 00:04,0\na\n{'9' * 5000}\n00:05,0 --> 00:06,0\nb\n", [f"a {'9' * 5000}", "b"]),
    ],
)
def test_numbers_that_are_said_are_not_those_of_subtitles(tmp_path: Path, text: str, expected: list[str]) -> None:
    (tmp_path / "x.srt").write_text(text)
    assert [row[2] for row in _rows(read_subtitles(tmp_path / "x.srt"))] == expected


def test_a_note_of_webvtt_is_not_said(tmp_path: Path) -> None:
    (tmp_path / "x.vtt").write_text(
        "WEBVTT\n\n00:01.500 --> 00:02.250\nlook\n\nNOTE not said\n\n00:03.000 --> 00:04.000\nyes\n"
    )
    assert [row[2] for row in _rows(read_subtitles(tmp_path / "x.vtt"))] == ["look", "yes"]
