// Rain by radar: data that are positive by nature. Patches of 28 × 28 pixels of 1 km, in all of which it
// rains, from composites of the Finnish Meteorological Institute (28 September 2016, FMI open data, CC BY
// 4.0; as kept among pysteps' example data). A pixel is a byte v, reflectivity in half decibels; with u
// uniform on [−½, ½), because v was rounded,
//   dBZ = (v + u)/2 − 32,   R = (10^(dBZ/10)/223)^(1/1.53)   mm/h, by FMI's relation
// The test patches are of frames 20 minutes after the last that is trained on: split by time, so a little
// drier.
#pragma once

#include "experiments/data/dataset.h"

namespace dale {

constexpr const char* rain_name = "rain";

/// The first FOLDER/rain with train.npy.gz and test.npy.gz, (N,1,H,W) of '|u1'; else the patches that come
/// with dale, some of these.
std::filesystem::path find_rain(const std::string& data_option);
/// Rates in mm/h (N,1,H,W), without labels; the same numbers at each call. Throws as load_dataset.
Dataset load_rain(const std::string& data_option, Split split);

}  // namespace dale
