"""What is learned: a task is a file here and a name in TASKS."""

from .cue_association import CueAssociation
from .cue_reward import CueReward
from .key_value_pairs import KeyValuePairs
from .recall import Recall
from .task import Task
from .weak_cues import WeakCues

TASKS: dict[str, type[Task]] = {
    task.name: task for task in (CueAssociation, CueReward, Recall, KeyValuePairs, WeakCues)
}
