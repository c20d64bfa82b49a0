"""Paired data: sets of pairs, their cache, their splits by scene, and loaders for Lightning."""

from lowlight.data.cache import ArrayCache, default_cache_dir
from lowlight.data.dataset import PairDataset
from lowlight.data.exposures import ExposureFolders
from lowlight.data.layouts import PairedFolder
from lowlight.data.listed import ListedPairs
from lowlight.data.low_light import LowLightPhotographs
from lowlight.data.module import PairDataModule
from lowlight.data.pairs import FilePair, PairItem, PairSet
from lowlight.data.photographs import Photograph, Photographs
from lowlight.data.plates import DrawnPlates
from lowlight.data.sampling import EpochSampler
from lowlight.data.scenes import hold_out, scene_groups, thumbnail
from lowlight.data.synthetic import DarkenedPhotographs, DarkenedView, darken
from lowlight.data.videos import VideoFolders

__all__ = [
    "ArrayCache",
    "DarkenedPhotographs",
    "DarkenedView",
    "DrawnPlates",
    "EpochSampler",
    "ExposureFolders",
    "FilePair",
    "ListedPairs",
    "LowLightPhotographs",
    "PairDataModule",
    "PairDataset",
    "PairItem",
    "PairSet",
    "PairedFolder",
    "Photograph",
    "Photographs",
    "VideoFolders",
    "darken",
    "default_cache_dir",
    "hold_out",
    "scene_groups",
    "thumbnail",
]
