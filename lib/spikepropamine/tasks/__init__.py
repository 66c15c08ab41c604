"""What is learned: a task is a file here and a name in TASKS."""

from .cue_association import CueAssociation
from .cue_reward import CueReward
from .recall import Recall
from .task import Task

TASKS: dict[str, type[Task]] = {task.name: task for task in (CueAssociation, CueReward, Recall)}
