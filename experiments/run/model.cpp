#include "experiments/run/model.h"

#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "experiments/data/dataset.h"
#include "experiments/run/folder.h"
#include "experiments/run/objective.h"
#include "nn/checkpoint.h"

namespace dale {
namespace {

std::string exact(double v) { return fmt::format("{:.17g}", v); }

/// Reads metadata entries, with the file's path in every complaint.
struct Metadata {
  const std::filesystem::path path;
  const std::map<std::string, std::string>& entries;

  const std::string& text(const std::string& name) const {
    return expect_entry(entries, name, path, ", so it is not a model that dale train wrote");
  }
  double number(const std::string& name) const {
    const nlohmann::json value = nlohmann::json::parse(text(name), nullptr, false);
    if (!value.is_number())
      failed("{}: its metadata has {} = '{}', expected a number", path.string(), name, text(name));
    return value;
  }
  /// Whole numbers that a network can have as sizes, with commas between.
  std::vector<Index> sizes(const std::string& name) const {
    std::vector<Index> all;
    for (const nlohmann::json& value : nlohmann::json::parse("[" + text(name) + "]", nullptr, false)) {
      if (!value.is_number_unsigned() || value < 1 || value > 65536)
        failed("{}: its metadata has {} = '{}', expected a whole number from 1 to 65536", path.string(), name,
               text(name));
      all.push_back(value);
    }
    return all;
  }
  /// One of them; `absent` where the entry is missing, if that may be.
  Index size(const std::string& name, std::optional<Index> absent = {}) const {
    if (absent && !entries.contains(name)) return *absent;
    const std::vector<Index> all = sizes(name);
    if (all.size() != 1)
      failed("{}: its metadata has {} numbers as {}, expected one", path.string(), all.size(), name);
    return all[0];
  }
};

UNetShape unet_shape(const Metadata& metadata) {
  UNetShape shape{metadata.size("channels"), metadata.sizes("multipliers"), metadata.size("time_width"),
                  metadata.size("classes", 0), metadata.size("colours", 1)};
  if (metadata.entries.contains("attention"))
    shape.attention =
        levels_of_heights(metadata.sizes("attention"), metadata.size("height"), shape.multipliers.size());
  if (shape.multipliers.size() > 8 || shape.time_width > 4096)
    failed("{}: its metadata describes a network of {} levels and time width {}: too large",
           metadata.path.string(), shape.multipliers.size(), shape.time_width);
  return shape;
}

/// The largest weights of each part must have the shapes that the metadata implies, before a network is
/// built: a false size must not cost memory that the file does not have.
void expect_sizes(const UNetShape& s, const NamedTensors& file, const std::filesystem::path& path) {
  expect_tensor(file, "stem.weight", {s.channels, s.colours, 3, 3}, path);
  expect_tensor(file, "time1.weight", {s.time_width, s.time_width}, path);
  if (s.classes) expect_tensor(file, "label.weight", {s.classes + 1, s.time_width}, path);
  for (std::size_t i = 0; i < s.multipliers.size(); ++i) {
    const Index width = s.channels * s.multipliers[i];
    expect_tensor(file, fmt::format("down.{}.conv2.weight", i), {width, width, 3, 3}, path);
  }
}

/// A checkpoint of dale train as the model that its training would end with there: its config tells the
/// metadata, and the averaged weights, rounded as a model's file rounds them, are the tensors.
NamedTensors model_of(const NamedTensors& checkpoint, const std::filesystem::path& path) {
  const nlohmann::ordered_json config =
      read_config(expect_entry(checkpoint.metadata, "config", path), path.string());
  NamedTensors model;
  for (const auto& [key, value] : config.items())
    model.metadata[key] = value.is_string() ? value.get<std::string>() : value.dump();
  const UNetShape usual;
  model.metadata["format"] = "dale model";
  model.metadata["network_output"] =
      str(default_prediction(process_named(Metadata{path, model.metadata}.text("process"))));
  model.metadata.emplace("multipliers", joined(usual.multipliers));
  model.metadata["time_width"] = std::to_string(usual.time_width);
  if (model.metadata["classes"] == "0") model.metadata.erase("classes");
  constexpr std::string_view prefix = "ema.";
  for (const auto& [name, tensor] : checkpoint.tensors)
    if (name.starts_with(prefix))
      model.tensors.emplace_back(name.substr(prefix.size()),
                                 tensor_from_bytes(tensor.shape(), tensor_bytes(tensor, 4), 4));
  return model;
}

}  // namespace

std::string joined(const std::vector<Index>& values) { return fmt::format("{}", fmt::join(values, ",")); }

std::vector<Index> levels_of_heights(const std::vector<Index>& heights, Index height, std::size_t levels) {
  std::vector<Index> there, found;
  for (std::size_t i = 0; i < levels; ++i) there.push_back(height >> i);
  for (Index h : heights) {
    const auto at = std::find(there.begin(), there.end(), h);
    if (at == there.end())
      invalid("attention at images {} high: the levels of this network are {} high", h, joined(there));
    found.push_back(at - there.begin());
  }
  return found;
}

ScoreModel Model::score_model(const Condition& condition) const {
  return {process, edm, meaning,
          [this, condition](const Var& x, const Var& t) { return network(x, t, condition); }};
}

void Model::expect_images(const Tensor& images, const std::string& of) const {
  const Shape one{network.shape.colours, height, width};
  if (const Shape found{images.dim(1), images.dim(2), images.dim(3)}; !(found == one))
    invalid(
        "the model makes images of {} (colours, height, width), those of {} are {}: name the data it was "
        "trained on",
        str(one), of, str(found));
}

std::vector<Index> Model::attention() const {
  std::vector<Index> heights;
  for (Index level : network.shape.attention) heights.push_back(height >> level);
  return heights;
}

void Model::to(Device device) {
  for (auto& p : parameters(network)) p.parameter->leaf_value() = p.parameter->value().to(device);
}

void save_model(const std::filesystem::path& path, Model& model, const std::vector<Tensor>& values) {
  NamedTensors file;
  file.metadata = model.notes;
  file.metadata["format"] = "dale model";
  file.metadata["dale"] = version;
  file.metadata["random_stream"] = std::to_string(random_stream_version);
  file.metadata["process"] = model.process->name();
  file.metadata["network_output"] = str(model.meaning);
  file.metadata["data_mean"] = exact(model.edm.mean);
  file.metadata["data_deviation"] = exact(model.edm.deviation);
  file.metadata["channels"] = std::to_string(model.network.shape.channels);
  file.metadata["multipliers"] = joined(model.network.shape.multipliers);
  file.metadata["time_width"] = std::to_string(model.network.shape.time_width);
  if (model.network.shape.classes) file.metadata["classes"] = std::to_string(model.network.shape.classes);
  if (model.network.shape.colours != 1)
    file.metadata["colours"] = std::to_string(model.network.shape.colours);
  if (!model.attention().empty()) file.metadata["attention"] = joined(model.attention());
  if (model.embedding != Embedding{}) file.metadata["embedding"] = model.embedding.name();
  file.metadata["height"] = std::to_string(model.height);
  file.metadata["width"] = std::to_string(model.width);
  const auto all = parameters(model.network);
  for (std::size_t i = 0; i < all.size(); ++i) file.tensors.emplace_back(all[i].name, values[i]);
  write_safetensors(path, file);
}

Model load_model(const std::filesystem::path& path) {
  NamedTensors file = read_safetensors(path);
  const Metadata metadata{path, file.metadata};
  if (metadata.text("format") == "dale checkpoint") file = model_of(file, path);
  const Edm edm{metadata.number("data_mean"), metadata.number("data_deviation")};
  if (!(edm.deviation > 0))
    failed("{}: its metadata has data_deviation = {}, expected > 0", path.string(), edm.deviation);
  try {
    const UNetShape shape = unet_shape(metadata);
    treatment_of(file.metadata);  // its size, where it has one, must be one
    expect_sizes(shape, file, path);
    Model model{&process_named(metadata.text("process")),
                edm,
                parameterisation_named(metadata.text("network_output")),
                ScoreUNet(shape, Key{0}),
                metadata.size("height", 28),
                metadata.size("width", 28),
                embedding_named(file.metadata.contains("embedding") ? metadata.text("embedding") : "pixels"),
                file.metadata};
    assign_parameters(parameters(model.network), file, path);
    return model;
  } catch (const std::invalid_argument& error) {  // a file's fault, not the caller's
    failed("{}: {}", path.string(), error.what());
  }
}

}  // namespace dale
