"""Each organisation that is built into the lab, judged by clients that are not exseal's: what is broken in it shows, and the
healthy organisation beside it does not show it.

judge.py EXSEAL FOLDER [NAME…]: the program that runs the lab; a folder to work in; the stories to judge, else all. Exits with 1
and the list of what is not so. A story of the lab that has no entry in stories.py is wrong, and so is an entry without a story.
"""

import json
import os
import subprocess
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from clients import Lab
from stories import STORIES

failures, held = [], []


def look(lab, sentence, wanted=True):
    """Holds a sentence against a lab; with wanted=False the sentence must not be so, for whatever reason."""
    try:
        fine, found = sentence.look(lab)
    except Exception as error:  # noqa: BLE001 - a client that fails has not seen it
        fine, found = None, "".join(traceback.format_exception_only(error)).strip()
        if not wanted:
            failures.append(f"{lab.name}: {sentence.words}: could not be looked at: {found[:300]}")
            return
    held.append(sentence)
    if bool(fine) != wanted:
        failures.append(f"{lab.name}: {'' if wanted else 'healthy, and yet '}{sentence.words}: found {str(found)[:600]}")


def in_order(lab, sentences, wanted=True):
    """What can be seen at once, then after a day what is in the logs; what changes something comes last."""
    for sentence in sentences:
        if not sentence.is_later and not sentence.acts:
            look(lab, sentence, wanted)
    late = [sentence for sentence in sentences if sentence.is_later]
    if late:
        lab.advance("25h")
    for sentence in late + [sentence for sentence in sentences if sentence.acts]:
        look(lab, sentence, wanted)


def judge(exseal, folder, name):
    story = STORIES[name]
    with Lab(exseal, folder / "stories", name) as lab:
        in_order(lab, story.sentences)


def healthy(exseal, folder, name, names):
    """None of the symptoms of these stories shows in a healthy organisation; those that change something get one of their own."""
    symptoms = [(other, STORIES[other].sentences[0]) for other in names if STORIES[other].healthy == name and other != name]
    with Lab(exseal, folder / "healthy", name) as lab:
        in_order(lab, [symptom for _, symptom in symptoms if not symptom.acts], wanted=False)
    for other, symptom in symptoms:
        if symptom.acts:
            with Lab(exseal, folder / "healthy" / other, name) as lab:
                look(lab, symptom, wanted=False)


def main():
    exseal, folder, chosen = sys.argv[1], Path(sys.argv[2]), sys.argv[3:]
    listed = subprocess.run([exseal, "lab", "list", "--json"], capture_output=True, text=True, check=True)
    stories = {story["name"]: story["number"] for story in json.loads(listed.stdout)["stories"]}
    for name in sorted(set(stories) ^ set(STORIES)):
        failures.append(f"{name}: {'no foreign client says how it shows' if name in stories else 'there is no such story'}")
    names = [name for name in STORIES if name in stories and (not chosen or name in chosen)]
    broken = [name for name in names if stories[name] is not None]
    work = [(judge, name) for name in names]
    work += [(lambda e, f, name: healthy(e, f, name, broken), name) for name in stories if stories[name] is None]

    def timed(task):
        begun = time.monotonic()
        try:
            task[0](exseal, folder, task[1])
        except Exception as error:  # noqa: BLE001 - the others are still looked at
            failures.append(f"{task[1]}: {''.join(traceback.format_exception(error))[-900:]}")
        return time.monotonic() - begun, task[1]

    with ThreadPoolExecutor(3) as pool:
        took = list(pool.map(timed, work))
    if os.environ.get("EXSEAL_SLOW"):
        print(*(f"{seconds:.1f} s {name}" for seconds, name in sorted(took, reverse=True)[:12]), sep="\n")
    if failures:
        print("\n".join(failures))
        sys.exit(1)
    print(f"{len(names)} organisations: {len(held)} sentences by openssl, curl, smtplib, ldapsearch and pypsrp, healthy ones among them")


main()
