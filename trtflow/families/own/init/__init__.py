"""`trtflow init`: a model is read, and the YAML file of its sample written, with all that can be told from it."""

from trtflow.families.own.init.facts import Facts, read_facts
from trtflow.families.own.init.guess import guess
from trtflow.families.own.init.places import Places, find_places, held_out_arrays
from trtflow.families.own.init.said import Guess
from trtflow.families.own.init.template import to_yaml
from trtflow.families.own.init.trials import try_out

__all__ = ["Facts", "Guess", "Places", "find_places", "guess", "held_out_arrays", "read_facts", "to_yaml", "try_out"]
