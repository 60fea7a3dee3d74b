"""Paraphrases that no planner, check or prompt was ever tuned on: they serve the final figures only.

They stand in the history before the changes whose figures they give. A set that has been looked at for mending anything
is no test any more and moves to :mod:`.development_paraphrases`.
"""

from __future__ import annotations

from collections.abc import Mapping

HELD_OUT: Mapping[str, tuple[str, ...]] = {
    "visible": (
        "How many seconds of the footage have the {a} in them?",
        "For how long in total is the {a} within the frame?",
        "What's the total time that the {a} can be spotted?",
    ),
    "together": (
        "For how long are the {a} and the {b} in the shot at the same time?",
        "How much time is there with the {a} and the {b} simultaneously visible?",
        "Total seconds in which both {a} and {b} appear?",
    ),
    "near": (
        "How long did the {a} stand by the {b}?",
        "How much time did the {a} and the {b} spend side by side?",
        "For how long were the {a} and the {b} within close distance of one another?",
    ),
    "contact": (
        "How many seconds were the {a} and the {b} touching?",
        "For how long did the {a} have contact with the {b}?",
        "How much time did the {a} spend touching the {b}?",
    ),
    "holding": (
        "How long had the {a} got the {b} in hand?",
        "For what total time was the {b} held by the {a}?",
        "How many seconds did the {a} keep the {b} in their hands?",
    ),
    "absent": (
        "How many seconds is the {a} off screen?",
        "For how long is the {a} missing from the picture?",
        "What is the total time during which the {a} cannot be seen?",
    ),
    "count": (
        "How many different {a+} can be seen?",
        "What is the number of {a+}?",
        "Count the {a+} in the footage.",
    ),
    "first-seen": (
        "When does the {a} come into the picture for the first time?",
        "At how many seconds does the {a} enter?",
        "What time marks the {a}'s first appearance?",
    ),
    "last-seen": (
        "Until when is the {a} in view?",
        "When is the {a} seen for the final time?",
        "When does the {a} leave for good?",
    ),
    "first-hold": (
        "When does the {a} pick up the {b} for the first time?",
        "How many seconds in does the {a} first take the {b}?",
        "When did the {a} begin holding the {b}?",
    ),
    "last-hold": (
        "When does the {a} finally drop the {b}?",
        "At what time did the {a} last release the {b}?",
        "When did the {a} stop holding the {b} for good?",
    ),
    "times-held": (
        "How many times did the {a} grab the {b}?",
        "How many separate holds of the {b} by the {a} are there?",
        "How frequently did the {a} pick up the {b}?",
    ),
    "times-touched": (
        "How many times was there contact between the {a} and the {b}?",
        "How many touches of the {b} by the {a} occurred?",
        "How frequently was the {a} touching the {b}?",
    ),
    "times-near": (
        "How often were the {a} and the {b} next to each other?",
        "On how many occasions did the {a} approach the {b}?",
        "How many times did the {a} and the {b} get near one another?",
    ),
    "times-visible": (
        "How many separate appearances does the {a} make?",
        "How many times does the {a} come into the frame?",
        "On how many occasions can the {a} be seen?",
    ),
    "longest-held": (
        "How long was the longest single hold of the {b} by the {a}?",
        "For how long at most did the {a} hold the {b} without letting go?",
        "What's the maximum time the {a} carried the {b} without interruption?",
    ),
    "longest-near": (
        "How long was the longest spell that the {a} stayed next to the {b}?",
        "What's the longest continuous time with the {a} beside the {b}?",
        "What was the longest period in which the {a} and the {b} were close together?",
    ),
    "longest-visible": (
        "How long is the longest continuous appearance of the {a}?",
        "What's the longest that the {a} stays in the picture without a break?",
        "What is the length of the {a}'s longest stay in view?",
    ),
    "mean-held": (
        "How long does the {a} typically hold the {b}?",
        "What's the average hold of the {b} by the {a}, in seconds?",
        "How many seconds does a hold of the {b} by the {a} last on average?",
    ),
    "window-between": (
        "For how long can one see the {a} between second {t} and second {u}?",
        "How many seconds was the {a} in view from {t} seconds until {u} seconds?",
        "Between {t} s and {u} s, how long does the {a} appear?",
    ),
    "window-first": (
        "During the first {u} seconds, how long was the {a} next to the {b}?",
        "In the initial {u} seconds, for how long did the {a} stay near the {b}?",
        "How many seconds was the {a} close to the {b} before second {u}?",
    ),
    "window-after": (
        "How often did the {a} hold the {b} after second {t}?",
        "Counting from {t} s, how many times did the {a} pick up the {b}?",
        "How many times did the {a} grab the {b} later than {t} seconds?",
    ),
    "hold-while-visible": (
        "How long was the {a} holding the {b} while the {c} was in the picture?",
        "As long as the {c} was in view, how many seconds did the {a} hold the {b}?",
        "For how long did the {a} carry the {b} with the {c} in sight?",
    ),
    "visible-while-absent": (
        "How long do we see the {a} while the {b} is off screen?",
        "For how many seconds is the {a} in view when the {b} is not?",
        "While the {b} is away, for how long is the {a} on screen?",
    ),
    "near-while-holding": (
        "How long was the {c} beside the {a} while the {a} was holding the {b}?",
        "When the {a} held the {b}, for how long was the {c} near the {a}?",
        "During the time that the {a} had the {b} in hand, how many seconds was the {c} next to the {a}?",
    ),
    "times-while": (
        "How often did the {a} touch the {b} while the {c} was in sight?",
        "With the {c} in view, how many times did the {a} touch the {b}?",
        "How many contacts of the {a} with the {b} were there while the {c} was visible?",
    ),
    "visible-after-came": (
        "How long was the {a} in view after the {b} entered?",
        "For how many seconds do we see the {a} once the {b} has appeared?",
        "After the {b} first showed up, how long could the {a} be seen?",
    ),
    "times-before-held": (
        "How many times did the {a} come near the {b} before the {a} grabbed the {b}?",
        "Before the {a} first took the {b}, how many times was the {a} near the {b}?",
        "How often was the {a} next to the {b} before the {a} first held the {b}?",
    ),
    "near-after-released": (
        "How long was the {a} beside the {c} after the {a} released the {b}?",
        "Once the {a} had put down the {b}, for how long was the {a} near the {c}?",
        "After the {a} let go of the {b}, how much time did the {a} spend close to the {c}?",
    ),
    "who-visible-longer": (
        "Which of the two is on screen longer, the {a} or the {b}?",
        "Is the {a} or the {b} visible for more time?",
        "Of the {a} and the {b}, who is seen longest?",
    ),
    "who-held-longer": (
        "Who had the {c} in hand longer, the {a} or the {b}?",
        "Who spent more time holding the {c}, the {a} or the {b}?",
        "Was the {c} held longer by the {a} or by the {b}?",
    ),
    "held-which-longer": (
        "Which one did the {c} carry longer, the {a} or the {b}?",
        "Was it the {a} or the {b} that the {c} held for longer?",
        "Which did the {c} have in hand for more seconds, the {a} or the {b}?",
    ),
    "who-came-first": (
        "Who appears first, the {a} or the {b}?",
        "Does the {a} or the {b} enter first?",
        "Who arrived earlier, the {a} or the {b}?",
    ),
    "who-left-last": (
        "Who was the last to be seen, the {a} or the {b}?",
        "Who stays on screen until later, the {a} or the {b}?",
        "Who leaves later, the {a} or the {b}?",
    ),
    "who-let-go-first": (
        "Who released the {c} first, the {a} or the {b}?",
        "Who was the first to put the {c} down for the last time, the {a} or the {b}?",
        "Which of the two, the {a} or the {b}, let go of the {c} earlier?",
    ),
    "longest-toy": (
        "Which toy can be seen for the longest?",
        "What object is on screen the longest?",
        "Which of the toys is in view for most of the time?",
    ),
    "longest-held-toy": (
        "What toy did the {a} hold for the longest time?",
        "Which object did the {a} carry longest?",
        "Of all the toys, which did the {a} have in hand longest?",
    ),
    "who-held": (
        "Who had the {b} in hand?",
        "Who carried the {b}?",
        "Name the people who held the {b}.",
    ),
    "who-touched": (
        "Who made contact with the {b}?",
        "Name everybody who touched the {b}.",
        "Which person or persons touched the {b}?",
    ),
    "what-held": (
        "What did the {a} hold in their hands?",
        "Name the toys that the {a} held.",
        "Which objects did the {a} pick up?",
    ),
    "what-near": (
        "Which toys did the {a} get close to?",
        "What objects was the {a} next to?",
        "Name the toys the {a} was near.",
    ),
    "what-visible": (
        "Name the toys that can be seen.",
        "What toys are there to see?",
        "Which of the toys appear in the video?",
    ),
    "order-seen": (
        "In what order do the toys appear?",
        "List the toys in the order in which they come into view.",
        "What is the order of first appearance of the toys?",
    ),
    "seen-before": (
        "Did the {a} appear before the {b}?",
        "Is the {a} in view sooner than the {b}?",
        "Was the {a} first seen earlier than the {b}?",
    ),
    "difference-visible": (
        "How many more seconds is the {a} on screen than the {b}?",
        "By how much is the {a} visible longer than the {b}?",
        "What is the difference between the {a} and the {b} in time on screen?",
    ),
    "difference-held": (
        "How many seconds more did the {a} carry the {c} than the {b} did?",
        "By how much time did the {a} hold the {c} longer than the {b}?",
        "What's the difference between the {a} and the {b} in time holding the {c}?",
    ),
    "share-visible": (
        "What percent of the recording has the {a} in view?",
        "For which part of the time is the {a} visible, in percent?",
        "What fraction of the video is the {a} on screen?",
    ),
    "share-near": (
        "What percentage of the video are the {a} and the {b} close together?",
        "What proportion of the time did the {a} spend next to the {b}?",
        "In percent, how much of the time was the {a} near the {b}?",
    ),
    "rate-held": (
        "How many times per minute does the {a} pick up the {b}?",
        "At what rate per minute did the {a} hold the {b}?",
        "Per minute, how often did the {a} grab the {b}?",
    ),
    "is-visible": (
        "Is the {a} ever on screen?",
        "Does the {a} appear in the video?",
        "Can you see the {a} at any point?",
    ),
    "did-hold": (
        "Did the {a} ever pick up the {b}?",
        "Was the {b} in the hands of the {a} at any time?",
        "Does the {a} hold the {b} at some point?",
    ),
    "was-near": (
        "Were the {a} and the {b} ever close together?",
        "Did the {a} come near the {b} at all?",
        "Does the {a} ever stand beside the {b}?",
    ),
    "did-touch": (
        "Were the {a} and the {b} ever in contact?",
        "Did the {a} and the {b} touch at any time?",
        "Does the {a} touch the {b} at all?",
    ),
    "more-than": (
        "Could the {a} be seen for more than {n} seconds?",
        "Does the {a} stay in view longer than {n} seconds?",
        "Is the {a} visible for over {n} seconds?",
    ),
    "in-how-many-videos": (
        "How many videos show the {a}?",
        "In how many recordings can the {a} be seen?",
        "How many of the videos have the {a} in view?",
    ),
    "mean-per-video": (
        "What is the {a}'s average time on screen per video?",
        "On average, how many seconds per recording is the {a} visible?",
        "How long is the {a} seen in each video on average?",
    ),
    "unknown-thing": (
        "How long was the laptop on the table?",
        "When does the dog come in?",
        "Did the {a} hold the phone?",
        "How many chairs are there?",
        "Who touched the guitar?",
        "How often was the {a} near the window?",
        "Was the doctor ever visible?",
        "For how many seconds did the {a} carry the bag?",
    ),
    "unknown-video": (
        "In video room_s55_004, how long is the {a} visible?",
        "Was the {a} seen in recording room_s12_999?",
        "How many times does the {a} appear in the video room_s77_031?",
    ),
    "feelings": (
        "Did the {a} look scared?",
        "How much did the {a} like it?",
        "Was the {a} angry with anybody?",
        "Is the {a} having fun?",
        "When was the {a} frightened?",
        "How stressed did the {a} seem?",
    ),
    "sound": (
        "Did the {a} sing?",
        "How often did the {a} cry?",
        "When did the {a} speak for the first time?",
        "Is there any music while the {a} is there?",
        "How long did the {a} talk?",
        "What was the {a} whispering?",
    ),
    "intention": (
        "What did the {a} want with the {b}?",
        "Was the {a} trying to get the {b}?",
        "What was the {a}'s goal with the {b}?",
        "Did the {a} mean to drop the {b}?",
        "Why is the {b} so interesting to the {a}?",
    ),
    "looks": (
        "What is the {a} made of?",
        "Is the {a} red?",
        "How heavy does the {a} look?",
        "What brand is the {a}?",
        "How large is the {a} in centimetres?",
        "What pattern is on the {a}?",
    ),
    "speed": (
        "How fast did the {a} crawl?",
        "What was the {a}'s top speed?",
        "How far did the {a} move?",
        "How many steps did the {a} take?",
        "Did the {a} run faster than anybody else?",
        "What distance did the {a} cover?",
    ),
    "judgement": (
        "Is the {a} clever?",
        "Does the {a} show signs of delay?",
        "Was the {a} well behaved?",
        "How attached is the {a} to the others?",
        "Is the {a} a responsive person?",
        "Should the {a} have done more?",
    ),
}
"""Form → texts."""
