"""A live look at every organisation the lab has built in: what is broken is found, what is healthy is left in peace.

judge.py EXSEAL COVERAGE FOLDER: the program; docs/coverage.md, which says what checks show each situation; a folder to work in.
Exits with 1 and the list of what differs.
"""

import json
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import situations
from running import Story, anonymous, failures, hold, run, ways

# Stories of which a live look shows none of the checks that coverage.md names, and what it shows instead; each is held to be so, and
# one that shows more than it did is named here in vain.
OTHERWISE = {
    16: ([], "the certificate was not enrolled by a template, and which one precedes is no fault"),
    22: (["root-for-exchange-online-missing"], "what the cloud holds is not on premises"),
    45: ([], "transport's events of the Edge's credentials are not among those that are read"),
    50: ([], "the smart host refuses; the queue's last error is that of a network"),
    79: ([], "what looks alike is no certificate's fault"),
}
# The lab has no copy of a vendor's root.
HEALTHY_ALL_THE_SAME = {"root-for-exchange-online-missing"}


def of_story(exseal, folder, story, covered):
    name, number = story["name"], story["number"]
    with Story(exseal, folder, name) as lab:
        inventory = lab.inventory()
        if inventory is None:
            return
        findings = lab.findings(inventory)
        found = {one["name"] for one in findings if one["severity"] in ("critical", "error", "warning")}
        every = {one["name"] for one in findings}
        for (server, channel), (is_open, why) in ways(inventory).items():
            hold(is_open or why, f"{name}: {server} {channel} is shut without a reason")
        if number is None:
            hold(found <= HEALTHY_ALL_THE_SAME, f"{name}: healthy, and shown as {sorted(found)}")
            again = lab.inventory()
            hold(anonymous(again) == anonymous(inventory), f"{name}: a second look gives another inventory")
        elif covered.get(number) and number not in OTHERWISE:
            hold(every & set(covered[number]), f"{name}: expected one of {covered[number]}, found {sorted(every)}")
        elif number in OTHERWISE:
            hold(not every & set(covered[number]), f"{name}: shows {sorted(every)}, and stands among what it does not show")
            hold(set(OTHERWISE[number][0]) <= found, f"{name}: expected {OTHERWISE[number][0]}, found {sorted(found)}")


def main():
    exseal, coverage, folder = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    covered = {}
    for line in coverage.read_text().splitlines():
        row = re.match(r"\| (\d+) \| (.*) \|$", line)
        # The first table is that of situations.
        if row and int(row[1]) not in covered:
            covered[int(row[1])] = re.findall(r"\[([a-z0-9-]+)\]", row[2])
    stories = json.loads(run(exseal, "lab", "list", "--json").stdout)["stories"]
    hold(len(stories) == 71, f"expected 71 organisations, found {len(stories)}")
    with ThreadPoolExecutor(2) as pool:
        work = [pool.submit(of_story, exseal, folder, story, covered) for story in stories]
        work += [pool.submit(situation, exseal, folder / "situations") for situation in situations.ALL]
        for one in work:
            try:
                one.result()
            except Exception as error:  # noqa: BLE001 - the others are still looked at
                failures.append(f"{type(error).__name__}: {error}")
    if failures:
        print("\n".join(failures))
        sys.exit(1)
    shown = sum(1 for story in stories if covered.get(story["number"]) and story["number"] not in OTHERWISE)
    print(f"{len(stories)} organisations: {shown} broken ones found out, {len(OTHERWISE)} otherwise, healthy ones left in peace; {len(situations.ALL)} situations of looking")


main()
