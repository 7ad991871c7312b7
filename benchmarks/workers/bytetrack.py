"""Track boxes with ByteTrack of the package trackers, with its own settings except for the patience."""

from typing import Any

import numpy as np

from benchmarks.workers.line import serve


def track(frames: list[list[list[float]]], fps: float, patience: float) -> dict[str, Any]:
    """Follow x1, y1, x2, y2 and confidence; faces that it has no track for (number -1) are left out."""
    import supervision
    from trackers import ByteTrackTracker

    # It counts in frames of 30 a second, and scales by the rate.
    tracker = ByteTrackTracker(lost_track_buffer=round(patience * 30), frame_rate=fps, minimum_consecutive_frames=1)
    answer = []
    for faces in frames:
        rows = np.array(faces, np.float32).reshape(-1, 5)
        found = tracker.update(
            supervision.Detections(rows[:, :4], confidence=rows[:, 4], class_id=np.zeros(len(rows), int))
        )
        numbers = [] if found.tracker_id is None else found.tracker_id.tolist()
        answer.append([[n, *map(float, box)] for n, box in zip(numbers, found.xyxy, strict=True) if n >= 0])
    return {"frames": answer}


if __name__ == "__main__":
    serve({"track": track})
