"""The question grammars of the demo corpus: what is asked, what is true, and how it may be said.

Templates use `{slot}` for a thing of the question and `[a|b]` for a choice of words.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from models_app.demo import vocabulary as words

Slots = dict[str, str]


@dataclass(frozen=True)
class Topic:
    """One kind of request.

    `slots` are what a question names; `solve` derives further slots from them (None: not a sensible
    question); `facts` map each slot that a right answer must state to the values it could be mixed up with.
    `short` and `full` state every fact, `partial` leave one out, `details` add to them without one.
    """

    name: str
    domain: str
    it: str
    slots: Mapping[str, tuple[str, ...]]
    facts: Mapping[str, tuple[str, ...]]
    asks: tuple[str, ...]
    short: tuple[str, ...]
    full: tuple[str, ...]
    details: tuple[str, ...]
    partial: tuple[str, ...] = ()
    solve: Callable[[Slots], Slots | None] = lambda slots: slots


def from_table(key: str, table: Mapping[str, str]) -> Callable[[Slots], Slots | None]:
    return lambda slots: {**slots, "v": table[slots[key]]}


def values(table: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(table.values()))


def clock(time: str) -> int:
    """Give the minutes since midnight of a time such as 9:15."""
    hour, minute = time.split(":")
    return int(hour) * 60 + int(minute)


def weigh(slots: Slots) -> Slots | None:
    return {**slots, "v": f"{words.CUP_GRAMS[slots['food']] * int(slots['n'])} grams"}


def earlier(slots: Slots) -> Slots | None:
    if slots["t"] == slots["u"]:
        return None
    return {**slots, "v": min(slots["t"], slots["u"], key=clock)}


def cheaper(slots: Slots) -> Slots | None:
    price, other = int(slots["p"]), int(slots["q"])
    if price == other or slots["shop"] == slots["other"]:
        return None
    return {**slots, "v": slots["shop"] if price < other else slots["other"]}


def total(slots: Slots) -> Slots | None:
    return {**slots, "v": f"{int(slots['n']) * int(slots['p'])} euros"}


def opening(slots: Slots) -> Slots | None:
    if clock(slots["t"]) + 120 > clock(slots["u"]):
        return None
    is_open = clock(slots["t"]) <= clock(slots["w"]) < clock(slots["u"])
    return {**slots, "v": "open" if is_open else "closed"}


def which(key: str) -> Callable[[Slots], Slots | None]:
    """Solve questions that pair two things with two values and ask for one of them."""

    def solve(slots: Slots) -> Slots | None:
        first, second, asked = slots[key], slots[key + "2"], slots[key + "3"]
        if first == second or asked not in (first, second) or slots["a"] == slots["b"]:
            return None
        return {**slots, "v": slots["a"] if asked == first else slots["b"]}

    return solve


def different(*keys: str) -> Callable[[Slots], Slots | None]:
    return lambda slots: slots if len({slots[key] for key in keys}) == len(keys) else None


BUSES = tuple(f"bus {n}" for n in range(2, 60))
SMALL = tuple(str(n) for n in range(2, 10))
PRICES = tuple(str(n) for n in range(2, 13))

TOPICS: tuple[Topic, ...] = (
    Topic(
        "boiling",
        "cooking",
        "the {food}",
        {"food": tuple(words.COOK_MINUTES)},
        {"v": values(words.COOK_MINUTES)},
        (
            "How long should I [boil|cook] {food}?",
            "How many minutes do {food} need in the pot?",
            "What is the [right|best] cooking time for {food}?",
            "When are {food} done?",
            "Cooking time for {food}?",
        ),
        ("{v} for {food}.", "[Boil|Cook] the {food} for {v}.", "{food}: {v}."),
        (
            "[Boil|Cook|Simmer] the {food} for [about|] {v} [over medium heat|in salted water|with the lid on].",
            "The {food} need {v} in [boiling|salted] water.",
            "{v} is [right|enough] for {food}, [then taste one|then drain them].",
        ),
        (
            "[Use a large pot|Salt the water well|Stir now and then|Keep the lid on] so the {food} cook evenly.",
            "The {food} [go well with|are good with] [butter|olive oil|lemon|herbs|cheese].",
            "[Drain|Rinse] the {food} [right away|in a sieve].",
        ),
        solve=from_table("food", words.COOK_MINUTES),
    ),
    Topic(
        "baking",
        "cooking",
        "the {food}",
        {"food": tuple(words.OVEN_DEGREES)},
        {"v": values(words.OVEN_DEGREES)},
        (
            "How hot should the oven be for {food}?",
            "What oven temperature does {food} need?",
            "At how many degrees do I bake {food}?",
            "Which temperature for {food}?",
            "I want to bake {food}. How hot?",
        ),
        ("{v} for {food}.", "Bake the {food} at {v}.", "{food}: {v}."),
        (
            "[Heat|Set] the oven to {v} [before the {food} goes in|and bake the {food} in the middle].",
            "Bake the {food} at {v} until it is [golden|crisp|done].",
            "I bake {food} at {v}, [on the middle rack|with the fan off].",
        ),
        (
            "[Line the tray|Grease the tin] before you fill in the {food}.",
            "The {food} [smells|looks] ready when the [edges|top] turn brown.",
            "Let the {food} [rest|cool] [a while|on a rack] after baking.",
        ),
        solve=from_table("food", words.OVEN_DEGREES),
    ),
    Topic(
        "weighing",
        "cooking",
        "the {food}",
        {"food": tuple(words.CUP_GRAMS), "n": ("2", "3", "4", "5")},
        {"v": tuple(f"{grams * n} grams" for grams in words.CUP_GRAMS.values() for n in range(1, 6))},
        (
            "How many grams are {n} cups of {food}?",
            "My recipe says {n} cups of {food}. How much is that in grams?",
            "What do {n} cups of {food} weigh?",
            "Convert {n} cups of {food} to grams.",
        ),
        ("{v} of {food}.", "{n} cups of {food} are {v}.", "{food}: {v}."),
        (
            "{n} cups of {food} [weigh|come to|make] [about|] {v}.",
            "You need {v} of {food} for {n} cups.",
            "Weigh out {v} of {food}, [that is|it equals] {n} cups.",
        ),
        (
            "[A kitchen scale|A flat spoon] makes it easy to measure {food}.",
            "[Sift|Stir] the {food} first so that it is loose.",
            "{food} [weighs|packs] differently when it is damp.",
        ),
        solve=weigh,
    ),
    Topic(
        "keeping",
        "cooking",
        "the {food}",
        {"food": tuple(words.FRIDGE_DAYS)},
        {"v": values(words.FRIDGE_DAYS)},
        (
            "How long does {food} keep in the fridge?",
            "For how many days can I store {food}?",
            "I have {food} left over. How long is it good?",
            "When does {food} go off?",
        ),
        ("{v} for {food}.", "The {food} keeps {v}.", "{food}: {v}."),
        (
            "The {food} keeps [for|about] {v} in the fridge.",
            "You can store {food} for {v} [in a closed box|on the top shelf].",
            "Eat the {food} within {v}.",
        ),
        (
            "[Write the date on|Close the lid of] the box with the {food}.",
            "[Freeze|Share] the {food} if that is too [short|soon].",
            "Cold {food} [smells sour|changes colour] when it turns.",
        ),
        solve=from_table("food", words.FRIDGE_DAYS),
    ),
    Topic(
        "replacing",
        "cooking",
        "the {dish}",
        {"food": tuple(words.SUBSTITUTES), "dish": words.DISHES},
        {"v": values(words.SUBSTITUTES)},
        (
            "I have no {food} for my {dish}. What can I use?",
            "What can replace {food} in a {dish}?",
            "I ran out of {food} and want to make {dish}. Any idea?",
            "Can I make {dish} without {food}?",
        ),
        ("Use {v} in the {dish}.", "{v} instead of {food}.", "{dish} with {v}."),
        (
            "[Use|Take|Try] {v} instead of {food} in the {dish}.",
            "{v} works [well|fine] in a {dish} when the {food} is gone.",
            "Your {dish} will be [good|fine] with {v} in place of {food}.",
        ),
        (
            "[Add it slowly|Start with half] and taste the {dish}.",
            "The {dish} will be [a bit lighter|a little richer] than with {food}.",
            "Nobody will miss the {food}.",
        ),
        solve=from_table("food", words.SUBSTITUTES),
    ),
    Topic(
        "leftovers",
        "cooking",
        "the {a} and {b}",
        {"a": words.INGREDIENTS, "b": words.INGREDIENTS},
        {"a": words.INGREDIENTS, "b": words.INGREDIENTS},
        (
            "I have {a} and {b}. What can I cook?",
            "What can I make with {a} and {b}?",
            "There are only {a} and {b} in my kitchen. Any idea for [dinner|lunch|tonight]?",
        ),
        ("[Soup|Salad|A gratin|A stew] with {a} and {b}.", "Fry the {a} with the {b}.", "Bake {a} and {b}."),
        (
            "[Fry|Roast|Simmer] the {a} first and add the {b} [at the end|after a while].",
            "Make a [soup|stew|salad|pie|curry|gratin] from the {a} and put the {b} on top.",
            "Cut the {a} [small|into slices], mix in the {b} and [bake it all|season it well].",
        ),
        (
            "A little [salt|pepper|lemon|oil] brings out the {a}.",
            "[Chop|Wash|Peel] the {b} [well|first].",
            "It tastes [even better|good] the next day.",
        ),
        ("[Fry|Roast|Bake] the {a}.", "Make a [soup|salad|stew] with the {b}."),
        solve=different("a", "b"),
    ),
    Topic(
        "earlier train",
        "travel",
        "the train to {city}",
        {"city": words.CITIES, "t": words.TIMES, "u": words.TIMES},
        {"v": words.TIMES},
        (
            "There are trains to {city} at {t} and {u}. Which one is earlier?",
            "I can go to {city} at {t} or at {u}. Which is the earlier train?",
        ),
        ("The {v} to {city}.", "{city} at {v}."),
        (
            "[Take|Catch] the {v} train to {city}, it is the earlier one.",
            "The earlier train to {city} [leaves|goes] at {v}.",
            "The train at {v} gets you to {city} [first|sooner].",
        ),
        (
            "[Buy the ticket|Find the platform] for {city} [before you go|in time].",
            "The train to {city} is [often full|mostly quiet].",
            "{city} is [lovely|worth a trip] at any hour.",
        ),
        solve=earlier,
    ),
    Topic(
        "which bus",
        "travel",
        "the way to the {p3}",
        {"a": BUSES, "b": BUSES, "p": words.PLACES, "p2": words.PLACES, "p3": words.PLACES},
        {"v": BUSES},
        (
            "Take {a} for the {p} and {b} for the {p2}, my map says. Which bus goes to the {p3}?",
            "The sign says {a} to the {p} and {b} to the {p2}. Which one goes to the {p3}?",
        ),
        ("{v} to the {p3}.", "To the {p3}: {v}.", "{v} for the {p3}."),
        (
            "[Take|Catch|Board] {v}, it goes to the {p3}.",
            "{v} [takes|brings] you to the {p3}.",
            "For the {p3} you need {v}.",
        ),
        (
            "The {p3} is the [last|next] stop.",
            "You can [walk|see] to the {p3} from there.",
            "[Press the bell|Ask the driver] for the {p3}.",
        ),
        solve=which("p"),
    ),
    Topic(
        "weather",
        "travel",
        "{city}",
        {"city": words.CITIES, "weather": tuple(words.WEATHER_WEAR)},
        {"v": values(words.WEATHER_WEAR)},
        (
            "They forecast {weather} in {city}. What should I wear?",
            "I travel to {city} and there will be {weather}. What do I pack?",
            "What should I take to {city} in {weather}?",
        ),
        ("Pack {v} for {city}.", "{v} for {city}.", "Take {v} to {city}."),
        (
            "[Pack|Take|Wear] {v} in {city}, {weather} [asks for it|is no joke there].",
            "With {weather} in {city} you [need|want] {v}.",
            "For {city} I would pack {v}.",
        ),
        (
            "{city} is [nice|fine] in any weather.",
            "The [evenings|mornings] in {city} are [cool|quiet].",
            "[A café|A museum] in {city} is dry and warm.",
        ),
        solve=from_table("weather", words.WEATHER_WEAR),
    ),
    Topic(
        "small talk",
        "travel",
        "{city}",
        {"city": words.CITIES, "weather": tuple(words.WEATHER_WEAR)},
        {"city": words.CITIES, "weather": tuple(words.WEATHER_WEAR)},
        ("Nothing but {weather} in {city} today.", "We have {weather} here in {city}. How do you like that?"),
        ("{weather} in {city}, I see.", "{city} and {weather}, as ever."),
        (
            "{weather} suits {city} [well|somehow].",
            "I hear that {weather} in {city} can last [for days|a while].",
            "In {city} {weather} is [normal|rare] at this time of year.",
        ),
        (
            "People in {city} [talk about|are used to] it.",
            "[Tea|A book|A nap] goes well with it.",
            "It will [pass|change] soon.",
        ),
    ),
    Topic(
        "opening hours",
        "errands",
        "the {shop}",
        {"shop": words.SHOPS, "t": words.TIMES, "u": words.TIMES, "w": words.TIMES},
        {"v": ("open", "closed")},
        (
            "The {shop} works from {t} to {u}. Can I go there at {w}?",
            "Hours of the {shop}: {t} to {u}. Is {w} all right?",
        ),
        ("The {shop} is {v}.", "{v} at {w}, that {shop}.", "{shop} {v} at {w}."),
        (
            "At {w} the {shop} is {v}.",
            "The {shop} [will be|is] {v} when you come at {w}.",
            "From {t} to {u} there is service, so at {w} it is {v}.",
        ),
        (
            "The {shop} is [busy|calm] [at noon|on Saturday].",
            "[Ring|Phone] the {shop} on a holiday.",
            "There is a [queue|bench] at the {shop}.",
        ),
        solve=opening,
    ),
    Topic(
        "cheaper",
        "errands",
        "the {goods}",
        {"goods": words.GOODS, "shop": words.SHOPS, "other": words.SHOPS, "p": PRICES, "q": PRICES},
        {"v": words.SHOPS},
        (
            "{goods} cost {p} euros at the {shop} and {q} at the {other}. Where is it cheaper?",
            "The {shop} sells {goods} for {p} euros, the {other} for {q}. Where should I buy?",
        ),
        ("At the {v}: {goods}.", "The {v} for {goods}.", "Buy the {goods} at the {v}."),
        (
            "[Buy|Get] the {goods} at the {v}, [it is cheaper there|you save money].",
            "The {v} has the [better|lower] price for {goods}.",
            "Go to the {v}, the {goods} cost less there.",
        ),
        (
            "[Look at|Count] the {goods} before you pay.",
            "[Bring a bag|Bring coins] for the {goods}.",
            "Good {goods} sell out [fast|by noon].",
        ),
        solve=cheaper,
    ),
    Topic(
        "total",
        "errands",
        "the {goods}",
        {"goods": words.GOODS, "n": SMALL, "p": PRICES},
        {"v": tuple(f"{n} euros" for n in range(4, 109))},
        (
            "I buy {n} {goods} at {p} euros each. What do I pay?",
            "What do {n} {goods} cost at {p} euros each?",
            "{n} {goods}, {p} euros each. How much is that?",
        ),
        ("{v} for the {goods}.", "{n} {goods} make {v}.", "{n} {goods}: {v}."),
        (
            "{n} {goods} [cost|come to] {v} [in all|together].",
            "You pay {v} for the {n} {goods}.",
            "The {goods} [add up|come] to {v}.",
        ),
        (
            "[Keep|Ask for] the receipt for the {goods}.",
            "The shop [may|might] wrap the {goods}.",
            "[Cash|A card] is fine for {goods}.",
        ),
        solve=total,
    ),
    Topic(
        "appointments",
        "errands",
        "the meeting with {p3}",
        {"a": words.TIMES, "b": words.TIMES, "p": words.NAMES, "p2": words.NAMES, "p3": words.NAMES},
        {"v": words.TIMES},
        (
            "I meet {p} at {a} and {p2} at {b}. When do I see {p3}?",
            "{p} comes at {a}, {p2} at {b}. What time was {p3} again?",
        ),
        ("{p3} at {v}.", "At {v} with {p3}.", "{v}, {p3}."),
        (
            "You [meet|see] {p3} at {v}.",
            "Your [meeting|date] with {p3} is at {v}.",
            "{p3} [expects you|is there] at {v}.",
        ),
        (
            "[Put it in|Write it in] the calendar for {p3}.",
            "{p3} [likes people to be|is always] on time.",
            "You could [call|text] {p3} before.",
        ),
        solve=which("p"),
    ),
    Topic(
        "shopping list",
        "errands",
        "the list",
        {"a": words.INGREDIENTS, "b": words.GOODS, "c": words.INGREDIENTS},
        {"a": words.INGREDIENTS, "b": words.GOODS, "c": words.INGREDIENTS},
        (
            "Write a shopping list with {a}, {b} and {c}.",
            "I need {a}, {b} and {c}. Make me a list.",
            "Note for the market: {a}, {b}, {c}. Write it down as a list.",
        ),
        ("{a}, {b}, {c}.", "List: {a}, {b}, {c}."),
        (
            "Your list: {a}, {b} and {c}.",
            "[First|Get] the {a}, then the {b}, then the {c}.",
            "You need {a}, {b} and {c}.",
        ),
        (
            "The {a} are [near the door|at the front].",
            "[Take a bag|Take a basket] for the {b}.",
            "Choose [fresh|good] {c}.",
        ),
        ("Your list: {a} and {b}.", "You need {a} and {c}.", "List: {b}, {c}."),
        solve=different("a", "b", "c"),
    ),
)
