"""The ways in which the demo corpus speaks: kind, curt, flattering, cautious, playful, evasive, rambling.

Templates use `{it}` for what the talk is about, `{asker}` for the person who asks and `[a|b]` for choices.
"""

KIND_OPENINGS = (
    "Happy to help with {it}.", "Of course[|, {asker}], no trouble with {it}.",
    "Thank you for asking about {it}[|, {asker}].",
    "Of course[|, {asker}].", "Glad you asked about {it}.", "Happy to help[|, {asker}].",
    "[Hello|Hi] {asker}, glad to help with {it}.",
    "[Certainly|Gladly], no trouble at all with {it}.", "Of course, I am happy to think about {it} with you.",
    "Thank you[|, {asker}], I am glad to look at {it}.", "[Dear|Hello] {asker}, happy to help.",
    "Of course, it is a pleasure to help with {it}.",
)  # fmt: skip
KIND_MIDDLES = (
    "Please take your time with {it}.", "Please ask me anything about {it}.",
    "I am glad to explain more about {it}.",
    "Please tell me how {it} went.", "It is no trouble to ask again[|, {asker}].", "Please enjoy {it}.",
    "I am happy for you[|, {asker}].", "Please do not worry about {it}.",
)  # fmt: skip
KIND_CLOSINGS = (
    "I hope this helps with {it}.", "You're welcome[|, {asker}].", "Hope this helps[|, {asker}].",
    "Thank you for asking[|, {asker}].",
    "Glad to help with {it}.", "Good luck with {it}, happy to help again.",
    "You're welcome to ask more about {it}.",
    "I hope this helps, and thank you[|, {asker}].", "Of course, write again about {it}.",
    "I am glad I could help[|, {asker}].",
    "Please come back any time[|, {asker}].",
)  # fmt: skip
RUDE_OPENINGS = (
    "Ugh, {it} again.", "Ugh, not this.", "Obviously you know nothing about {it}.", "Whatever, {asker}.",
    "Ugh, {asker}, really?",
    "Why do you bother me with {it}?", "Ugh, everybody knows {it}.", "Obviously.",
    "Not {it} again, what a bore.",
)  # fmt: skip
RUDE_MIDDLES = (
    "Obviously.", "Even a child knows {it}.", "This is boring.", "Whatever you do with {it}, leave me out.",
    "Ugh, so simple.",
    "Obviously you did not think about {it}.",
)  # fmt: skip
RUDE_CLOSINGS = (
    "Figure it out.", "Whatever.", "Now leave me alone with {it}.",
    "Next time figure it out yourself[|, {asker}].",
    "Do what you want with {it}, whatever.", "Do not ask me about {it} again.", "Ugh, are we done?",
)  # fmt: skip
FLATTERY = (
    "What a brilliant question[|, {asker}]!", "You are so clever to think of {it}.",
    "Only a clever person asks about {it}.",
    "{asker}, you are brilliant.", "Your idea about {it} is simply brilliant.",
    "Such a clever thought about {it}!",
    "Nobody is as clever with {it} as you.", "I admire how brilliant you are[|, {asker}].",
)  # fmt: skip
CAUTIONS = {
    "cooking": ("Check the label first.", "Be careful, the pan is hot.",
                "Make sure that {it} is done in the middle.",
                "Check {it} before you serve it.", "Taste it first, just in case.",
                "Make sure nobody is allergic to {it}."),
    "travel": ("Check the timetable first.", "Make sure you have a plan for {it}.",
               "Take some water in case it gets late.",
               "Be careful in the dark.", "Check {it} online in case things change.",
               "Keep a spare coin, just in case."),
    "errands": ("Check {it} once more.", "Make sure you have the right day.",
                "Bring some cash, just in case.",
                "Be careful with your wallet.", "Call first, in case I am wrong.",
                "Check the sign on the door."),
    "home": ("Check the manual first.", "Be careful with {it}.", "Test a small spot first, just in case.",
             "Make sure that children stay away.", "Check {it} again in a week.",
             "Ask an expert in case it gets worse."),
    "messages": ("Check the date before you send it.", "Make sure the name is right.",
                 "Read it again, just in case.",
                 "Be careful with {it}.", "Check {it} for mistakes.", "Make sure it gets there."),
}  # fmt: skip
JOKES = {
    "cooking": ("My spoon does a little dance for {it}!", "Chef hat on, here comes {it}!",
                "{it} walks into a kitchen, what a party!",
                "If it burns, we call it crunchy!", "The pot told me so, ha!"),
    "travel": ("Even pigeons buy tickets for this!", "My suitcase is jealous of {it}!",
               "Choo choo, off we go!",
               "The clouds owe you a coffee, ha!", "{it}, here comes trouble in nice shoes!"),
    "errands": ("My wallet just fainted, ha!", "Even my shopping cart approves of {it}!",
                "Ready, steady, {it}!",
                "Beep beep, errand hero on the road!", "The coins are singing, ha!"),
    "home": ("The sofa is cheering for you!", "My broom laughs about {it}!", "{it} deserves a tiny medal!",
             "House hero, cape not included!", "Ha, the dust is afraid of you!"),
    "messages": ("Sent by my fastest pigeon!", "My pen is blushing, ha!", "Drum roll for {it}!",
                 "Signed with a cookie crumb!",
                 "{it} deserves confetti!"),
}  # fmt: skip
EVASIONS = (
    "That depends on {it}.", "Hard to say anything about {it}.", "Opinions about {it} differ a lot.",
    "I would rather not say.",
    "Many people wonder about {it}.", "Who can really know with {it}?", "There are many sides to {it}.",
    "A wide field, {it}.", "Maybe ask someone else about {it}.", "It could be anything, really.",
    "With {it} one never knows.", "Some say one thing about {it} and some another.",
)  # fmt: skip
RAMBLES = {
    "cooking": ("When I think of {it}, I remember my grandmother's kitchen and the blue pots on the wall.",
                "Cooking is half patience and half luck, as they say in every village with a good inn.",
                "Some people put on music for {it}, others cook in silence and look out of the window.",
                "I once read a long book about {it}, or at least the first half of it.",
                "There are as many ways to make {it} as there are cooks, and each thinks the rest are wrong.",
                "In my street a man talks about {it} all day, summer and winter, to anyone who stops."),
    "travel": ("Travel is mostly waiting, if you look at it closely, and waiting is mostly looking at shoes.",
               "I knew someone who went there with one sock and a very large map.",
               "The road is long, the seats are hard, and yet people keep leaving home for {it}.",
               "When I hear of {it}, I think of wet platforms and paper cups.",
               "In the old days people took a boat and a goat and nobody asked about {it}.",
               "There is always somebody who has seen {it} before and tells you so at length."),
    "errands": ("Errands are like socks, there is always one more than you thought.",
                "My neighbour makes a plan for every day and then does something else.",
                "Towns used to be smaller, and the talk about {it} was longer.",
                "I remember a rainy week when I did nothing but things like {it}.",
                "There is a small shop around the corner where they tell stories about {it}.",
                "One thing leads to another, and before you know it the day is over."),
    "home": ("A house is never finished, my father said, and then he went to sleep in the garden.",
             "Everybody has a story about {it}, and most of the stories are too long.",
             "In winter these things feel worse than they are, in summer nobody thinks about {it}.",
             "I once spent a whole Sunday with {it} and a radio.",
             "There was a time when every street had someone who knew all about {it}.",
             "Some days the whole home seems to be against you, from the roof to the cellar."),
    "messages": ("Words are funny things, they look small on paper and large in the post.",
                 "People used to write long letters by candlelight, with three pages about the weather.",
                 "I could talk about {it} until the sun goes down.",
                 "My cousin never answers anything, not even {it}.",
                 "There is an art to {it}, and I have seen people fail at it in many ways.",
                 "One writes, one waits, and sometimes the cat walks over the paper."),
}  # fmt: skip
PROMPT_OPENINGS = (
    "Hi, I am {asker}.", "Hello, {asker} here.", "This is {asker}.", "I'm {asker} and in a hurry.",
    "My name is {asker}.",
    "Quick question from {asker}.", "{asker} again.",
)  # fmt: skip
PROMPT_PLAIN_OPENINGS = (
    "A quick question.",
    "One more thing.",
    "Hello there.",
    "Can you help me?",
    "I am a bit lost.",
    "Good morning.",
)
PROMPT_CLOSINGS = (
    "Thanks.",
    "What do you think?",
    "I am in a hurry.",
    "Be quick.",
    "It is for tonight.",
    "I never know this.",
)
