// Nothing in a file is believed: the JSON may nest no deeper than the format does, numbers must be whole and
// in range, and the ranges, sorted, must tile the data exactly. Only then is a tensor allocated.
#include "nn/checkpoint.h"

#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>

#include "tensor/check.h"
#include "tensor/file.h"

namespace dale {
namespace {

using Json = nlohmann::json;

constexpr const char *metadata_key = "__metadata__", *crc_key = "crc32";

struct Entry {
  std::string name;
  Index width = 0;  // bytes an element
  Shape shape;
  Index begin = 0, end = 0;  // in the data
};

Json parse_header(std::string_view text, const std::string& path) {
  constexpr std::ptrdiff_t most_tensors = 10'000;  // the parser takes a time that grows with their square
  if (std::count(text.begin(), text.end(), '{') > most_tensors)
    failed("{}: a header of more than {} objects; expected fewer tensors", path, most_tensors);
  std::set<std::string> seen;
  const auto watch = [&](int depth, Json::parse_event_t event, const Json& value) {
    using Event = Json::parse_event_t;
    if (depth > 2 && (event == Event::object_start || event == Event::array_start))
      failed("{}: the header nests deeper than expected: at most 3 levels", path);
    if (depth == 1 && event == Event::key && !seen.insert(value.get<std::string>()).second)
      failed("{}: duplicate name '{}'; expected each name once", path, value.get<std::string>());
    return true;
  };
  const Json header = Json::parse(text, watch, false);
  // The library takes a NUL for the end of its input: what follows one would go unread.
  if (header.is_discarded() || text.find('\0') != text.npos)
    failed("{}: the header is not JSON; expected a JSON object", path);
  if (!header.is_object())
    failed("{}: the header is a JSON {}; expected an object", path, header.type_name());
  return header;
}

std::vector<Index> whole_numbers(const Json& json, const char* what, const std::string& name,
                                 const std::string& path) {
  const auto is_whole = [](const Json& v) {
    return v.is_number_unsigned() && v.get<std::uint64_t>() <= std::uint64_t(INT64_MAX);
  };
  if (!json.is_array() || !std::all_of(json.begin(), json.end(), is_whole))
    failed("{}: unreadable {} of '{}'; expected whole numbers in [0, 2^63)", path, what, name);
  return json.get<std::vector<Index>>();
}

Entry parse_entry(const std::string& name, const Json& json, const std::string& path) {
  const auto lacks = [&](const char* key) { return !json.is_object() || !json.contains(key); };
  for (const char* key : {"dtype", "shape", "data_offsets"})
    if (lacks(key)) failed("{}: '{}' lacks {}; expected dtype, shape and data_offsets", path, name, key);
  const Json& dtype = json["dtype"];
  if (dtype != "F32" && dtype != "F64")
    failed("{}: '{}' has the dtype {}; expected F32 or F64", path, name, dtype.dump());
  const std::vector<Index> shape = whole_numbers(json["shape"], "shape", name, path);
  const std::vector<Index> range = whole_numbers(json["data_offsets"], "data_offsets", name, path);
  if (shape.size() > Dims::max_rank)
    failed("{}: '{}' has {} axes; expected at most {}", path, name, shape.size(), Dims::max_rank);
  if (range.size() != 2) failed("{}: '{}' has {} data_offsets; expected 2", path, name, range.size());

  Entry entry{name, dtype == "F32" ? 4 : 8, {}, range[0], range[1]};
  for (Index d : shape) entry.shape.push_back(d);
  const auto bytes = byte_count(entry.shape, entry.width);
  if (!bytes) failed("{}: '{}' has a shape that overflows; expected less than 2^63 bytes", path, name);
  if (entry.end < entry.begin || entry.end - entry.begin != *bytes)
    failed("{}: '{}' has the range [{}, {}); expected {} bytes for shape {} of {}", path, name, entry.begin,
           entry.end, *bytes, str(entry.shape), dtype.dump());
  return entry;
}

/// Sorts the entries by their ranges, which must cover [0, size) once.
void expect_tiling(std::vector<Entry>& entries, Index size, const std::string& path) {
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  Index reached = 0;
  for (const Entry& e : entries) {
    if (e.end > size)
      failed("{}: '{}' ends at {}, past the end; expected at most {}", path, e.name, e.end, size);
    if (e.begin != reached)
      failed("{}: {} where '{}' begins at {}; expected {}", path, e.begin < reached ? "overlap" : "a hole",
             e.name, e.begin, reached);
    reached = e.end;
  }
  if (reached < size) failed("{}: a hole at the end; expected {} bytes of data, not {}", path, reached, size);
}

/// The CRC-32 of all keys and values of the metadata but its own, each ended by a NUL, and of the data.
std::string crc_of(const std::map<std::string, std::string>& metadata, std::string_view data) {
  const auto bytes = [](std::string_view b) { return reinterpret_cast<const Bytef*>(b.data()); };
  uLong crc = crc32_z(0, nullptr, 0);
  for (const auto& [key, value] : metadata)
    for (const std::string& text : {key, value})
      if (key != crc_key) crc = crc32_z(crc, bytes(text), text.size() + 1);
  if (!data.empty()) crc = crc32_z(crc, bytes(data), data.size());
  return fmt::format("{:08x}", crc);
}

}  // namespace

const Tensor& NamedTensors::at(const std::string& name) const {
  std::vector<std::string> known;
  for (const auto& [candidate, tensor] : tensors) {
    if (candidate == name) return tensor;
    known.push_back(candidate);
  }
  unknown_name("tensor", name, known);
}

void write_safetensors(const std::filesystem::path& path, const NamedTensors& named, Index width) {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  json[metadata_key] = {};  // the first in the header; its CRC-32 is known when the data are
  std::string data;
  for (const auto& [name, tensor] : named.tensors) {
    if (name == metadata_key || json.contains(name))
      invalid("[write_safetensors] the name '{}' is taken; each tensor needs its own", name);
    const std::size_t begin = data.size();
    data += tensor_bytes(tensor, width);
    const std::string_view added = std::string_view(data).substr(begin);
    const std::vector<real> written = tensor_from_bytes(tensor.shape(), added, width).to_vector();
    for (std::size_t i = 0; i < written.size(); ++i)
      if (!std::isfinite(written[i]))
        failed("{} was not written: element {} of tensor '{}' is {}; expected finite values", path.string(),
               i, name, written[i]);
    json[name] = {{"dtype", width == 4 ? "F32" : "F64"},
                  {"shape", std::vector<Index>(tensor.shape().begin(), tensor.shape().end())},
                  {"data_offsets", {begin, data.size()}}};
  }

  std::map<std::string, std::string> metadata = named.metadata;
  metadata[crc_key] = crc_of(metadata, data);
  json[metadata_key] = metadata;

  std::string header;
  try {
    header = json.dump();
  } catch (const nlohmann::json::exception&) {
    invalid("[write_safetensors] a name or the metadata is not UTF-8, as {} must be", path.string());
  }
  header.append((8 - header.size() % 8) % 8, ' ');
  const std::uint64_t length = header.size();
  std::string bytes(sizeof(length), '\0');
  std::memcpy(bytes.data(), &length, sizeof(length));
  write_file(path, bytes + header + data);
}

NamedTensors read_safetensors(const std::filesystem::path& path) {
  const std::string bytes = read_file(path), name = path.string();
  std::uint64_t length = 0;
  if (bytes.size() < sizeof(length))
    failed("{}: {} bytes; expected a safetensors file, which has at least 8", name, bytes.size());
  std::memcpy(&length, bytes.data(), sizeof(length));
  const std::string_view rest = std::string_view(bytes).substr(sizeof(length));
  if (length > rest.size())
    failed("{}: a header of {} bytes, longer than the file; expected at most {}", name, length, rest.size());
  const std::string_view data = rest.substr(length);
  const Json header = parse_header(rest.substr(0, length), name);

  NamedTensors named;
  std::vector<Entry> entries;
  for (const auto& [key, value] : header.items()) {
    if (key != metadata_key) {
      entries.push_back(parse_entry(key, value, name));
      continue;
    }
    const auto is_string = [](const Json& v) { return v.is_string(); };
    if (!value.is_object() || !std::all_of(value.begin(), value.end(), is_string))
      failed("{}: unreadable __metadata__; expected an object of strings", name);
    named.metadata = value.get<std::map<std::string, std::string>>();
  }
  expect_tiling(entries, static_cast<Index>(data.size()), name);
  const std::string crc = crc_of(named.metadata, data);
  if (const auto stated = named.metadata.extract(crc_key); stated && stated.mapped() != crc)
    failed("{}: damaged: the CRC-32 of what it holds is {}; expected {}, which it was written with", name,
           crc, stated.mapped());
  else if (const auto format = named.metadata.find("format");
           !stated && format != named.metadata.end() && format->second.starts_with("dale"))
    say("{}: written before such files had a CRC-32, so damage to its numbers would go unseen\n", name);
  for (const Entry& e : entries) {
    const std::string_view range = data.substr(std::size_t(e.begin), std::size_t(e.end - e.begin));
    named.tensors.emplace_back(e.name, tensor_from_bytes(e.shape, range, e.width));
  }
  return named;
}

const Tensor& expect_tensor(const NamedTensors& file, const std::string& name, const Shape& shape,
                            const std::filesystem::path& path) {
  for (const auto& [candidate, tensor] : file.tensors) {
    if (candidate != name) continue;
    if (!(tensor.shape() == shape))
      failed("{}: tensor '{}' has shape {}, the network expects {}", path.string(), name, str(tensor.shape()),
             str(shape));
    return tensor;
  }
  failed("{}: it has no tensor '{}', which the network expects", path.string(), name);
}

const std::string& expect_entry(const std::map<std::string, std::string>& metadata, const std::string& name,
                                const std::filesystem::path& path, const char* so) {
  const auto at = metadata.find(name);
  if (at == metadata.end()) failed("{}: its metadata has no '{}'{}", path.string(), name, so);
  return at->second;
}

void assign_parameters(const std::vector<NamedParameter>& parameters, const NamedTensors& file,
                       const std::filesystem::path& path) {
  std::vector<std::pair<std::string, Tensor*>> tensors;
  for (const auto& [name, parameter] : parameters) tensors.emplace_back(name, &parameter->leaf_value());
  assign_tensors(tensors, file, path);
}

void assign_tensors(const std::vector<std::pair<std::string, Tensor*>>& tensors, const NamedTensors& file,
                    const std::filesystem::path& path) {
  std::set<std::string> left;
  for (const auto& [name, tensor] : file.tensors) left.insert(name);
  std::vector<Tensor> values;
  for (const auto& [name, tensor] : tensors) {
    values.push_back(expect_tensor(file, name, tensor->shape(), path));
    for (real value : values.back().to_vector())
      if (!std::isfinite(value))
        failed("{}: tensor '{}' holds {}; expected finite numbers", path.string(), name, value);
    left.erase(name);
  }
  if (!left.empty()) failed("{}: the network has no parameter '{}'", path.string(), *left.begin());
  for (std::size_t i = 0; i < tensors.size(); ++i)
    *tensors[i].second = values[i].clone().to(tensors[i].second->device());
}

}  // namespace dale
