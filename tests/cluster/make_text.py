"""Makes files of text that looks like people's: make_text.py FOLDER MEGABYTES. The same each time.

Words follow Zipf's law, lines differ in length; some have CR LF, tabs or letters beyond ASCII. Among
the files are empty ones, one of a single line end, one of a single long line, and ones without a final
line end.
"""
import itertools
import os
import random
import sys

folder, megabytes = sys.argv[1], float(sys.argv[2])
rng = random.Random(20260131)

syllables = [c + v + e for c in "b c d f g h k l m n p r s t v w st tr qu".split()
             for v in ("a", "e", "i", "o", "u", "\u00e9") for e in ("", "n", "r", "s", "ck")]
vocabulary = ["".join(rng.choices(syllables, k=rng.choice((1, 1, 2, 2, 3, 4)))) for _ in range(60000)]
cumulated = list(itertools.accumulate(1 / (rank + 2) for rank in range(len(vocabulary))))


def line():
    words = rng.choices(vocabulary, cum_weights=cumulated, k=rng.choice((0, 1, 5, 8, 12, 12, 15, 40)))
    if words and rng.random() < 0.3:
        words[0] = words[0].capitalize()
    text = " ".join(w + "," if rng.random() < 0.05 else w for w in words)
    if rng.random() < 0.02:
        text = text.replace(" ", "\t  ", 2)
    if rng.random() < 0.05:
        text += " %d" % rng.randrange(1000000)
    return text.encode() + (b"\r\n" if rng.random() < 0.01 else b".\n" if words else b"\n")


lines = [line() for _ in range(30000)]


def write(name, content):
    with open(os.path.join(folder, name), "wb") as file:
        file.write(content)


def text_of(size):
    parts = []
    while size > 0:
        parts.append(rng.choice(lines))
        size -= len(parts[-1])
    return b"".join(parts)


whole = int(megabytes * 1e6)
write("a-large", text_of(whole * 5 // 10))
write("b-no-final-line-end", text_of(whole * 3 // 10) + b"the last words")
write("c-empty", b"")
write("d-line-end", b"\n")
write("e-one-long-line", b" ".join(text_of(whole // 20).split()) + b" end")
write("f-one-letter", b"x")
write("g-rest", text_of(whole * 3 // 20))
write("h-empty", b"")
