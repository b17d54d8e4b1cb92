"""Runs inside Tempest's environment: reads what stestr wrote, a stream of subunit, and prints it as JSON.

One object for each test, or class whose preparation ended early: id, status, words (why it failed or was skipped),
started and finished in seconds.
"""

import json
import sys
from typing import Any

import subunit  # type: ignore[import-not-found,unused-ignore]
import testtools  # type: ignore[import-not-found,unused-ignore]


def main() -> None:
    """Read the file named by the first argument."""
    found = []

    def take(test: dict[str, Any]) -> None:
        details = test["details"]
        words = "\n".join(
            content.as_text() for name, content in details.items() if name.startswith(("reason", "traceback"))
        )
        started, finished = test["timestamps"]
        found.append(
            {
                "id": test["id"],
                "status": test["status"],
                "words": words,
                "duration_s": (finished - started).total_seconds() if started and finished else None,
            }
        )

    with open(sys.argv[1], "rb") as file:  # noqa: PTH123  one stream for another library
        stream = subunit.ByteStreamToStreamResult(file)
        result = testtools.StreamToDict(take)
        result.startTestRun()
        stream.run(result)
        result.stopTestRun()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
