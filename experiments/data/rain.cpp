// Rain by radar: data that are positive by nature. Patches of 28 × 28 pixels of 1 km, in all of which it
// rains, from composites of the Finnish Meteorological Institute (28 September 2016, FMI open data, CC BY
// 4.0; as kept among pysteps' example data). A pixel is a byte v, reflectivity in half decibels; with u
// uniform on [−½, ½), because v was rounded,
//   dBZ = (v + u)/2 − 32,   R = (10^(dBZ/10)/223)^(1/1.53)   mm/h, by FMI's relation
// The test patches are of frames 20 minutes after the last that is trained on: split by time, so a little
// drier.
#include "autograd/ops.h"
#include "experiments/data/dataset.h"
#include "experiments/data/idx.h"
#include "tensor/check.h"
#include "tensor/draw.h"
#include "tensor/npy.h"

namespace dale {
namespace {

namespace fs = std::filesystem;

constexpr Index patches = 8000;  // to train on, of the whole set

fs::path file_of(const fs::path& folder, Split split) {
  return folder / (split == Split::train ? "train.npy.gz" : "test.npy.gz");
}

}  // namespace

fs::path find_rain(const std::string& data_option) {
  std::error_code ignored;
  for (const fs::path& folder : dataset_folders(data_option))
    if (const fs::path rain = folder / rain_name;
        fs::exists(file_of(rain, Split::train), ignored) && fs::exists(file_of(rain, Split::test), ignored))
      return rain;
  return pretrained(rain_name);
}

Dataset load_rain(const std::string& data_option, Split split) {
  const fs::path folder = find_rain(data_option), path = file_of(folder, split);
  const std::string bytes = read_gzip(path);
  const Var v = npy_array(bytes, path.string());
  if (v.rank() != 4 || v.dim(1) != 1)
    failed("{}: an array of shape {}; expected patches (N,1,H,W)", path.string(), str(v.shape()));
  const Var u = uniform(Key{0}.split(split == Split::train ? 0 : 1), v.shape()) - 0.5;
  const Var decibels = (v + u) / 2 - 32;
  const Var rate = exp((decibels * (scalar::log(10.0) / 10) - scalar::log(223.0)) / 1.53);
  Dataset data{.name = rain_name,
               .folder = folder,
               .images = rate.value(),
               .digests = {{path.stem().string(), md5(bytes)}}};
  if (split == Split::train && v.dim(0) < patches)
    data.note = fmt::format("the {} patches that come with dale, of {}", v.dim(0), patches);
  return data;
}

}  // namespace dale
