#pragma once

/// The library with `onednn`, the evaluator for machines without a GPU. Needs the CMake target `batchmate::onednn`.

#include <batchmate/batchmate.hpp>
#include <batchmate/cpu/evaluator.hpp>
