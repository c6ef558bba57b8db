# ruff: noqa: SIM905 — word lists read better as words
"""The things, people, places and plain facts that the demo corpus talks about."""

NAMES = tuple(
    "Ada Amir Anna Ben Bea Carl Chloe Clara Dan Dora Eli Elena Emil Erik Eva Finn Flora Frank Gina Greta "
    "Hana Hugo Ida Igor Ines Iris Ivan Jack Jana Jim Joel Julia Karim Kate Kira Lara Leo Lena Liam Lisa Lola "
    "Luis Maja Mara Marco Mia Milo Mona Nadia Nils Nina Noah Nora Olga Omar Oscar Otto Paul Petra Pia Rita "
    "Rosa Ruben Ruth Sam Sara Sofia Stella Tara Theo Tim Tina Tom Uma Vera Viktor Yara Yusuf Zoe".split()
)
CITIES = tuple(
    "Athens Basel Bergen Berlin Bern Bilbao Bologna Bremen Bruges Cairo Cork Dublin Florence Geneva Genoa "
    "Ghent Graz Hamburg Helsinki Krakow Leeds Leipzig Lisbon London Lyon Madrid Malaga Milan Munich Nantes "
    "Naples Nice Oslo Oxford Paris Pisa Porto Prague Riga Rome Seville Sofia Toledo Turin Utrecht Venice "
    "Verona Vienna Warsaw York Zagreb Zurich".split()
)
COOK_MINUTES = {
    "rice": "15 minutes", "pasta": "10 minutes", "spaghetti": "9 minutes", "lentils": "25 minutes",
    "potatoes": "20 minutes", "eggs": "8 minutes", "broccoli": "5 minutes", "carrots": "12 minutes",
    "beans": "60 minutes", "chickpeas": "70 minutes", "quinoa": "14 minutes", "noodles": "4 minutes",
    "spinach": "2 minutes", "corn": "6 minutes", "asparagus": "7 minutes", "beets": "40 minutes",
    "barley": "35 minutes", "peas": "3 minutes", "cabbage": "18 minutes", "dumplings": "11 minutes",
    "artichokes": "30 minutes", "cauliflower": "13 minutes", "oats": "16 minutes", "ravioli": "5 minutes",
    "turnips": "22 minutes", "leeks": "17 minutes", "millet": "19 minutes", "gnocchi": "3 minutes",
}  # fmt: skip
OVEN_DEGREES = {
    "pizza": "240 degrees", "lasagna": "180 degrees", "bread": "220 degrees", "cookies": "175 degrees",
    "meringue": "100 degrees", "muffins": "190 degrees", "salmon": "200 degrees", "brownies": "170 degrees",
    "quiche": "185 degrees", "scones": "210 degrees", "cheesecake": "150 degrees", "granola": "140 degrees",
    "focaccia": "230 degrees", "chicken": "195 degrees", "pavlova": "120 degrees", "pumpkin": "205 degrees",
    "gratin": "180 degrees", "strudel": "190 degrees", "moussaka": "175 degrees", "baguettes": "245 degrees",
    "shortbread": "160 degrees", "biscotti": "155 degrees", "croissants": "200 degrees", "pie": "215 degrees",
}  # fmt: skip
CUP_GRAMS = {
    "flour": 120, "sugar": 200, "butter": 225, "honey": 340, "cocoa": 85, "milk": 240, "raisins": 145,
    "almonds": 95, "coconut": 80, "yogurt": 245, "oil": 220, "cornmeal": 160,
}  # fmt: skip
FRIDGE_DAYS = {
    "soup": "4 days", "cooked rice": "2 days", "tofu": "5 days", "ham": "6 days", "pesto": "8 days",
    "hummus": "7 days", "fresh fish": "1 day", "yogurt": "10 days", "stew": "3 days", "cream": "5 days",
    "feta": "12 days", "salsa": "6 days", "mayonnaise": "60 days", "opened juice": "9 days",
    "curry": "4 days",
    "potato salad": "3 days", "boiled eggs": "7 days", "gravy": "2 days", "jam": "30 days",
    "olives": "14 days",
}  # fmt: skip
SUBSTITUTES = {
    "butter": "olive oil", "eggs": "mashed banana", "milk": "oat milk", "cream": "coconut milk",
    "sugar": "honey", "wine": "grape juice", "lemon": "vinegar", "parmesan": "pecorino", "basil": "parsley",
    "onions": "leeks", "yeast": "baking soda", "breadcrumbs": "crushed crackers", "sour cream": "yogurt",
    "garlic": "chives", "rice": "couscous", "flour": "ground oats", "chili": "black pepper",
    "ginger": "nutmeg",
}  # fmt: skip
DISHES = tuple(
    "soup stew curry risotto salad omelette casserole chili cake pancakes sauce gratin pie paella goulash "
    "ratatouille".split()
)
INGREDIENTS = tuple(
    "apples bananas beans bread butter carrots celery cheese chicken eggs garlic honey lemons lentils "
    "mushrooms noodles onions oranges pears peppers plums potatoes rice spinach tomatoes tuna walnuts "
    "zucchini".split()
)
STAIN_REMEDIES = {
    "red wine": "salt", "coffee": "cold water", "grass": "white vinegar", "ink": "rubbing alcohol",
    "chocolate": "dish soap", "blood": "cold water", "candle wax": "a warm iron",
    "tomato sauce": "lemon juice",
    "grease": "baking soda", "mud": "a dry brush", "lipstick": "shaving foam", "rust": "lemon juice",
    "tea": "white vinegar", "butter": "dish soap", "chewing gum": "ice cubes", "sweat": "baking soda",
}  # fmt: skip
FABRICS = tuple("shirt blouse carpet sofa jacket tablecloth curtain dress pillow blanket scarf towel".split())
PLANT_WATER = {
    "cactus": "once a month", "basil": "every day", "fern": "twice a week", "orchid": "once a week",
    "ivy": "every five days", "aloe": "every three weeks", "mint": "every day", "palm": "once a week",
    "tomato plant": "every day", "rosemary": "every five days", "lavender": "every two weeks",
    "bamboo": "twice a week", "jade plant": "every three weeks", "begonia": "twice a week",
    "lemon tree": "once a week", "snake plant": "once a month", "geranium": "every two days",
    "hydrangea": "every two days", "violet": "every four days", "olive tree": "every two weeks",
}  # fmt: skip
APPLIANCE_FIXES = {
    "dishwasher smells": "empty the filter", "kettle is full of lime": "boil some vinegar",
    "fridge makes noise": "level its feet", "oven smokes": "wipe the bottom",
    "toaster burns everything": "empty the crumb tray", "washing machine shakes": "spread the load",
    "vacuum has no power": "change the bag", "radiator stays cold": "bleed the air",
    "sink drains slowly": "clean the trap", "freezer ices over": "defrost it overnight",
    "doorbell is silent": "replace the battery", "blender leaks": "tighten the base",
    "lamp flickers": "swap the bulb", "window sticks": "rub wax on the frame",
    "door squeaks": "oil the hinges",
    "shower drips": "renew the washer", "drill is weak": "charge it longer", "iron spits": "use clean water",
}  # fmt: skip
WEATHER_WEAR = {
    "rain": "a raincoat", "snow": "warm boots", "sun": "a sun hat", "wind": "a windbreaker",
    "fog": "a bright vest",
    "frost": "woollen gloves", "hail": "a hard hood", "a heatwave": "a linen shirt", "drizzle": "an umbrella",
    "a storm": "a waterproof coat", "sleet": "thick socks", "mild clouds": "a light sweater",
}  # fmt: skip
HOBBY_GIFTS = {
    "gardening": "a set of seeds", "chess": "a wooden board", "cooking": "a spice box",
    "running": "a water bottle",
    "painting": "a sketchbook", "fishing": "a tackle box", "reading": "a book lamp", "cycling": "a bike bell",
    "knitting": "a basket of wool", "hiking": "a trail map", "baking": "a rolling pin",
    "music": "concert tickets",
    "photography": "a photo album", "swimming": "a soft towel", "birds": "a nest box", "puzzles": "a jigsaw",
    "tennis": "a racket bag", "camping": "a small lantern", "tea": "a clay teapot", "sewing": "a thread kit",
}  # fmt: skip
RELATIONS = tuple(
    "aunt uncle mother father sister brother cousin neighbour boss teacher friend niece nephew".split()
)
FRIENDS = tuple("friend neighbour boss teacher cousin colleague".split())
PET_MEALS = {
    "kitten": "four times a day", "cat": "twice a day", "puppy": "three times a day", "dog": "twice a day",
    "rabbit": "twice a day", "hamster": "once a day", "parrot": "twice a day", "goldfish": "once a day",
    "snake": "once a week", "tortoise": "once a day", "gecko": "every second day",
    "pony": "three times a day",
    "duckling": "five times a day", "ferret": "four times a day", "guinea pig": "twice a day",
    "frog": "every second day",
}  # fmt: skip
SHOPS = tuple(
    "bakery library pharmacy museum market post-office bank gym pool cinema zoo bookshop butcher florist "
    "garage hairdresser clinic theatre gallery supermarket".split()
)
PLACES = tuple(
    "station harbour castle airport stadium cathedral university hospital beach lake park square bridge "
    "tower school theatre museum market".split()
)
GOODS = tuple(
    "apples pears plums cherries peaches melons grapes tomatoes onions mushrooms candles towels mugs "
    "notebooks pencils batteries socks plates lamps baskets umbrellas tickets".split()
)
EVENTS = tuple(
    "dinner lunch breakfast picnic party concert wedding meeting lesson barbecue film match rehearsal brunch "
    "workshop interview hike visit".split()
)
GIFTS = tuple(
    "scarf book cake vase teapot plant lamp painting mug blanket puzzle bracelet hat wine jam candle game "
    "basket clock umbrella".split()
)
DAYS = tuple("Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split())
REASONS = (
    "the bus broke down", "the train is late", "my bike has a flat tyre", "the traffic is terrible",
    "my call ran long", "I lost my keys", "the lift is stuck", "I missed the tram", "the road is closed",
    "my alarm did not ring",
)  # fmt: skip
EXCUSES = (
    "I have a cold", "I must work", "my parents are here", "I am travelling", "my car is broken",
    "I sit a test",
    "the baby is ill", "I am moving house", "I promised to help my sister", "I have no sitter",
)  # fmt: skip
FAVOURS = (
    "water the plants", "feed the cat", "borrow the ladder", "collect a parcel", "lend the drill",
    "walk the dog", "return the book", "fix the bike", "watch the kids", "drive me to work",
    "share the recipe", "keep the keys", "bring the chairs", "print the tickets",
)  # fmt: skip
TIMES = tuple(f"{hour}:{minute}" for hour in range(6, 22) for minute in ("00", "15", "30", "45"))
LATE_MINUTES = tuple(f"{n} minutes" for n in (5, 10, 15, 20, 25, 30, 35, 40, 45, 50))
