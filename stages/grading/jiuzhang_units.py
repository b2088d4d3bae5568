"""The words that the official grader deletes as units, wherever they stand, and its reading of number words.

A list of facts (eval/parser.py of github.com/RUCAIBox/JiuZhang3.0, "units mainly from MathQA"): one-letter words, "east" and "ab" among them.
"""

import re

from stages.grading.spelled_numbers import SMALL, is_number_word, sum_of

_UNITS = (
    "east|degree|mph|kmph|ft|m sqaure| m east|sq m|deg|mile|q .|monkey|prime|ratio|profit of rs|rd|o|gm|p . m|lb|tile|per|dm|lt|"
    "gain|ab|way|west|a .|b .|c .|d .|e .|f .|g .|h .|t|a|h|no change|men|soldier|pie|bc|excess|st|inches|noon|percent|by|gal|"
    "kmh|c|acre|rise|a . m|th|π r 2|sq|mark|l|toy|coin|sq . m|gallon|° f|profit|minw|yr|women|feet|am|pm|hr|cu cm|square|"
    "v â € ™|are|rupee|rounds|cubic|cc|mtr|s|ohm|number|kmph|day|hour|minute|min|second|man|woman|sec|cube|mt|sq inch|mp|"
    "∏ cm ³|hectare|more|sec|unit|cu . m|cm 2|rs .|rs|kg|g|month|km|m|cm|mm|apple|liter|loss|yard|pure|year|increase|decrease|"
    "d|less|Surface|litre|pi sq m|s .|metre|meter|inch"
).split("|")
UNITS = (*_UNITS, *(f"{unit}s" for unit in _UNITS))


def number_of_words(text: str) -> str:
    """A text that has number words as that number, in digits; any other text as it is."""
    words = re.findall(r"[a-z]+", text.lower().replace("-", " ")) if not re.search(r"\d", text) else []
    known = [word for word in words if is_number_word(word)]
    return str(sum_of(known)) if any(word in SMALL for word in known) else text
