#include "experiments/run/samples.h"

#include "diffusion/exact.h"
#include "experiments/pictures/image.h"
#include "tensor/cpu/parallel.h"
#include "tensor/npy.h"

namespace dale {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

constexpr Index gap = 2, zoom = 2;

Tensor in_a_square(const Tensor& images) {
  const double N = static_cast<double>(images.dim(0));
  return image_grid(images, static_cast<Index>(std::ceil(std::sqrt(N))), gap, zoom);
}

}  // namespace

Greys greys_of(const Tensor& data) {
  const std::vector<real> values = data.to_vector();
  if (values.empty()) invalid("[greys_of] there are no data");
  std::vector<double> ascending(values.begin(), values.end());
  std::sort(ascending.begin(), ascending.end());
  return {quantile(ascending, 0.01), quantile(ascending, 0.99)};
}

Tensor Greys::of(const Tensor& data) const {
  const bool by_log = black > 0;
  const auto scale = [&](double v) { return by_log ? scalar::log(v) : v; };
  const double low = scale(black), range = std::max(scale(white) - low, 1e-30);
  const Var x = by_log ? log(clamp(data, black, std::numeric_limits<real>::max())) : Var(data);
  return ((x - low) / range).value();
}

Grid grid_of(const Tensor& images, const Model& model) {
  const Index N = images.dim(0), pixels = std::max(model.height, model.width) * zoom,
              side = std::max<Index>(1, (max_image_side + gap) / (pixels + gap)),  // of a square, in images
      shown = std::min(N, side * side);
  const Tensor first = images.slice(0, 0, shown).packed();
  Grid grid{.shown = shown};
  if (shown < N)
    grid.note = fmt::format("grid.png shows the first {} of {} images, all that a picture holds\n", shown, N);
  if (model.embedding != Embedding{}) {
    const Greys& greys = grid.greys.emplace(greys_of(first));
    grid.note +=
        fmt::format("grid.png is black at {:.3g} and white at {:.3g}, 1 and 99 % of what it shows{}\n",
                    greys.black, greys.white, greys.black > 0 ? ", by logarithm" : "");
  }
  grid.picture = in_a_square(grid.shade(first));
  return grid;
}

void Trajectory::see(const Var& y, double s) {
  if (s >= level_) return;  // a corrector's second look
  level_ = s;
  states_.push_back(model_.unchart(slice(y, 0, 0, std::min(shown, y.dim(0)))).value().to(Device::cpu));
}

void Trajectory::write(const fs::path& folder, const Tensor& images) const {
  if (states_.empty()) return;
  const Grid end = grid_of(images.slice(0, 0, states_[0].dim(0)).packed(), model_);
  std::vector<Tensor> frames;
  for (const Tensor& state : states_)
    frames.push_back(in_a_square(end.shade(state.slice(0, 0, end.shown).packed())));
  frames.push_back(end.picture);
  write_file(folder / "trajectory.png", apng_bytes(frames, 150));
}

SamplesFolder::SamplesFolder(fs::path folder, Json made_of, bool resume)
    : folder_(std::move(folder)), made_(!fs::exists(folder_)), made_of_(std::move(made_of)) {
  make_folder(folder_);
  lock_.emplace(folder_);
  if (resume) {
    for (const fs::path& path : {about(), folder_ / "sample.json"})
      if (fs::exists(path) && !is_made_of(path, made_of_))
        invalid(
            "{} holds samples of other options or another model: give the options they began with, or choose "
            "another --out",
            folder_.string());
  } else {
    for (const fs::path& path : {about(), npy(), folder_ / "sample.json"}) fs::remove(path);
  }
}

SamplesFolder::~SamplesFolder() {
  std::error_code ignored;
  if (done_ == 0 && file_) fs::remove(npy(), ignored);
  lock_.reset();
  if (made_) fs::remove(folder_, ignored);  // only where it is empty
}

bool SamplesFolder::complete() const {
  return fs::exists(folder_ / "samples.npy") && is_made_of(folder_ / "sample.json", made_of_);
}

Index SamplesFolder::resume(SampleResult& result) {
  if (fs::exists(about())) {
    const Json state = Json::parse(read_file(about()));
    const Index image = result.images.size() / result.images.dim(0) * 4;  // in bytes
    std::string bytes = read_file(npy());
    done_ = std::min(
        {state.value("images", Index{0}), static_cast<Index>(bytes.size()) / image, result.images.dim(0)});
    bytes.resize(static_cast<std::size_t>(done_ * image));
    write_file(npy(), bytes);
    Shape shape = result.images.shape();
    shape[0] = done_;
    raw::copy_into(result.images.slice(0, 0, done_), tensor_from_bytes(shape, bytes, 4));
    result.evaluations = state.value("evaluations", Index{0});
    result.sign_changes = state.value("sign_changes", Index{-1});
    result.seconds = state.value("seconds", 0.0);
  } else {
    write_file(npy(), "");
  }
  file_.emplace(npy());
  return done_;
}

void SamplesFolder::append(const Tensor& images, const SampleResult& r) {
  file_->append(tensor_bytes(images));
  file_->sync();
  done_ += images.dim(0);
  const Json state = {{"made_of", made_of_},
                      {"images", done_},
                      {"evaluations", r.evaluations},
                      {"sign_changes", r.sign_changes},
                      {"seconds", r.seconds}};
  write_file(about(), state.dump(2) + "\n");
}

std::string SamplesFolder::write(const SampleResult& r, const Model& model, bool each) {
  const Grid grid = grid_of(r.images, model);
  const Json json = {{"dale", version},
                     {"made_of", made_of_},
                     {"process", model.process->name()},
                     {"model", model.notes},
                     {"evaluations", r.evaluations},
                     {"sign_changes", r.sign_changes},
                     {"images_in_grid", grid.shown},
                     {"threads", threads()},
                     {"seconds", r.seconds}};
  write_npy(folder_ / "samples.npy", r.images);
  write_png(folder_ / "grid.png", grid.picture);
  if (each) make_folder(folder_ / "images");
  for (Index n = 0; each && n < r.images.dim(0); ++n)
    write_png(folder_ / "images" / fmt::format("{:05}.png", n),
              image_grid(grid.shade(r.images.slice(0, n, n + 1).packed()), 1));
  write_file(folder_ / "sample.json", json.dump(2) + "\n");
  file_.reset();
  fs::remove(about());
  fs::remove(npy());
  return grid.note;
}

std::string text_of(const SampleResult& r, const SampleOptions& o) {
  return fmt::format("{} images, {} steps, {} network evaluations per image, {:.1f} s{}", o.count, o.steps,
                     r.evaluations, r.seconds,
                     r.sign_changes >= 0 ? fmt::format(", {} sign changes", r.sign_changes) : "");
}

}  // namespace dale
