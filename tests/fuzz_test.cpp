// A mutation fuzzer over every reader of files. Good files are mutated (bits, bytes, numbers, cuts, repeats,
// splices; checksums are put right again half of the time, so that damage reaches what lies behind them) and
// read. A reader may return or say in one line, with the path, what is wrong; it must not crash, hang, throw
// anything else, or ask for memory that the file's size does not warrant.
//
// DALE_FUZZ=1000000 build/check "[fuzz]" reads a million inputs; without it, 20000. Everything is a function
// of the input's number, which a failure names.
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "experiments/data/idx.h"
#include "experiments/pictures/image.h"
#include "experiments/run/folder.h"
#include "experiments/run/model.h"
#include "tensor/npy.h"
#include "tests/choices.h"
#include "tests/folder.h"

// ---- What is asked of the system: every allocation passes here, by the sanitizers' hook or in malloc's
// place.

namespace {
std::atomic<bool> counting = false;
std::atomic<std::size_t> asked = 0;  // bytes, freed or not
void count(std::size_t bytes) {
  if (counting) asked += bytes;
}
}  // namespace

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
extern "C" int __sanitizer_install_malloc_and_free_hooks(void (*)(const volatile void*, std::size_t),
                                                         void (*)(const volatile void*));
static const int hooked = __sanitizer_install_malloc_and_free_hooks(
    [](const volatile void*, std::size_t bytes) { count(bytes); }, [](const volatile void*) {});
#else
extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
void* malloc(std::size_t bytes) { return count(bytes), __libc_malloc(bytes); }
void* calloc(std::size_t n, std::size_t bytes) { return count(n * bytes), __libc_calloc(n, bytes); }
void* realloc(void* block, std::size_t bytes) { return count(bytes), __libc_realloc(block, bytes); }
int posix_memalign(void** block, std::size_t to, std::size_t bytes) {
  return count(bytes), (*block = __libc_memalign(to, bytes)) ? 0 : 12;  // ENOMEM
}
}
static const int hooked = 1;
#endif

using namespace dale;

namespace {

/// One mutation of `bytes`; `other` is a good file to splice from.
std::string mutated(std::string bytes, const std::string& other, Choices& c) {
  if (bytes.empty()) return other;
  const std::size_t at = c.below(bytes.size()), length = 1 + c.below(1 + c.below(bytes.size() - at));
  static const std::uint64_t numbers[] = {0,          1,          0x7f,       0x80,       0xff,
                                          0x7fff,     0xffff,     0x7fffffff, 0x80000000, 0xffffffff,
                                          1ull << 40, 1ull << 62, ~0ull >> 1, ~0ull};
  // clang-format off
  switch (c.below(9)) {
    case 0: bytes[at] = static_cast<char>(bytes[at] ^ 1 << c.below(8)); break;
    case 1: bytes[at] = static_cast<char>(c.below(256)); break;
    case 2: bytes.erase(at, length); break;
    case 3: bytes.insert(at, bytes.substr(at, length)); break;
    case 4: bytes.resize(at); break;
    case 5: bytes.replace(at, length, other.substr(c.below(other.size()), length)); break;
    case 6: {  // a number, in either order of bytes
      std::string number(reinterpret_cast<const char*>(&numbers[c.below(std::size(numbers))]), 8);
      number.resize(std::size_t{1} << c.below(4));
      if (c.below(2)) std::reverse(number.begin(), number.end());
      bytes.replace(at, number.size(), number);
      break;
    }
    case 7: {  // the same in digits, where there are some
      const std::size_t digits = bytes.find_first_of("0123456789", at);
      if (digits == bytes.npos) break;
      const std::size_t end = std::min(bytes.find_first_not_of("0123456789", digits), bytes.size());
      bytes.replace(digits, end - digits, std::to_string(numbers[c.below(std::size(numbers))]));
      break;
    }
    default: bytes.insert(at, std::string(1, "[]{}(),:'\"-\0\\e."[c.below(16)]));
  }
  // clang-format on
  return bytes;
}

/// The checksum of every chunk of a PNG put right, as far as its lengths lead.
std::string with_checksums(std::string png) {
  for (std::size_t at = 8; at + 12 <= png.size();) {
    std::size_t length = 0;
    for (std::size_t i = 0; i < 4; ++i) length = length << 8 | static_cast<unsigned char>(png[at + i]);
    if (length > png.size() - at - 12) break;
    png.replace(at + 8 + length, 4, crc_of(png.substr(at + 4, length + 4)));
    at += length + 12;
  }
  return png;
}

/// Its header length fits the header again, which ends at the last brace before the numbers.
std::string with_header_length(std::string file) {
  const std::size_t end = file.rfind("}}");
  if (file.size() < 8 || end == file.npos || end < 8) return file;
  const std::uint64_t length = end + 2 - 8;
  return file.replace(0, 8, reinterpret_cast<const char*>(&length), 8);
}

struct Reader {
  const char* name;
  std::vector<std::string> good;
  std::function<std::string(std::string)> repair;  // puts a mutated file right again
  std::function<void(const fs::path&)> read;
  std::size_t per_byte;  // memory asked for a byte of the file, at most
};

std::string bytes_written(const fs::path& path, const std::function<void(const fs::path&)>& write) {
  write(path);
  return read_file(path);
}

/// A network with as few weights as there can be.
void save_small_model(const fs::path& path) {
  const ScoreUNet network({8, {1}, 2, 2}, Key{1});
  Model model{&process_named("gbm"), {0.1, 0.3}, Parameterisation::denoised, network, 28, 28, {}};
  std::vector<Tensor> weights;
  for (const auto& p : parameters(model.network)) weights.push_back(p.parameter->value());
  save_model(path, model, weights);
}

std::vector<Reader> readers(const fs::path& scratch) {
  const std::string images = idx_head({0x803, 2, 3, 4}) + std::string(24, '\x42');
  const std::string labels = idx_head({0x801, 9}) + std::string(9, '\3');
  std::vector<std::string> png, jpeg, npy, safetensors;
  for (const char* name : {"colour", "progressive", "grey"})
    jpeg.push_back(read_file(fmt::format("tests/fixtures/{}.jpg", name)));
  for (const Shape& shape : {Shape{4, 4}, {7, 30}, {1, 1}, {3, 6, 5}})
    png.push_back(bytes_written(scratch, [&](auto& p) { write_png(p, uniform(Key{1}, shape)); }));
  for (const Shape& shape : {Shape{2, 1, 4, 4}, {5}, {0, 3}})
    npy.push_back(bytes_written(scratch, [&](auto& p) { write_npy(p, uniform(Key{2}, shape)); }));
  const NamedTensors tensors{{{"a.weight", uniform(Key{3}, {2, 3})}, {"b", uniform(Key{4}, {1})}},
                             {{"step", "12"}}};
  for (Index width : {4, 8})
    safetensors.push_back(bytes_written(scratch, [&](auto& p) { write_safetensors(p, tensors, width); }));
  const std::string config = R"({"dale":"0.1.0","data_md5":{"x":"00ff"},"steps":300,"lr":1e-3,"note":"",)"
                             R"("classes":0,"ok":true,"none":null})";
  const std::string model = bytes_written(scratch, save_small_model);

  const std::identity as_it_is;
  const auto read_idx = [](const fs::path& p) { read_idx_images(p); };
  // zlib makes at most 1032 bytes of one, and a byte becomes a float or a double; strings grow by doubling.
  constexpr std::size_t deflated = 1032 * (sizeof(real) + 4);
  // A pixel of colour becomes 3 numbers, these once more for their mean, and 1. Of a PNG, a byte of its rows
  // is at most 8 pixels of a palette, and in growing and interlaced memory 4 bytes, a pixel 1 + 1 + 4 and
  // then 1. Of a JPEG, a byte is at most 8 blocks of 64 samples, each 1 byte and 2 for its coefficient, 16
  // blocks where a small picture needs 1; and a block is at most 114 pixels of 3 bytes (1024 pixels in 9
  // blocks: 4 of a colour sampled densely across, 4 of one sampled so down, and 1).
  constexpr std::size_t numbers = 7 * sizeof(real);
  constexpr std::size_t png_byte = 1032 * (4 + 8 * (7 + numbers));
  constexpr std::size_t jpeg_byte = 8 * (16 * 64 * 3 + 114 * (3 + numbers));
  return {
      {"idx images", {images}, as_it_is, read_idx, 64},
      {"idx labels", {labels}, as_it_is, [](const fs::path& p) { read_idx_labels(p); }, 64},
      {"gzip", {gzipped(images), gzipped(labels)}, as_it_is, read_idx, deflated},
      {"gzipped idx", {images, labels}, gzipped, [](const fs::path& p) { read_idx_labels(p); }, deflated},
      {"png", png, with_checksums, [](const fs::path& p) { read_image(p, 1); }, png_byte},
      {"jpeg", jpeg, as_it_is, [](const fs::path& p) { read_image(p, 1); }, jpeg_byte},
      {"npy", npy, as_it_is, [](const fs::path& p) { read_npy(p); }, 64},
      {"safetensors", safetensors, with_header_length, [](const fs::path& p) { read_safetensors(p); }, 512},
      {"model", {model}, as_it_is, [](const fs::path& p) { load_model(p); }, 512},
      {"config", {config}, as_it_is, [](const fs::path& p) { read_config(read_file(p), p.string()); }, 512}};
}

}  // namespace

TEST_CASE("no file crashes a reader, hangs it, or makes it ask for more memory than it warrants", "[fuzz]") {
  REQUIRE(hooked);
  const char* variable = std::getenv("DALE_FUZZ");
  const Index inputs = variable ? std::atoll(variable) : 20000;
  const Folder folder;
  const fs::path path = folder / "input";
  const std::vector<Reader> all = readers(path);
  constexpr std::size_t free_bytes = 1 << 20;  // for what does not depend on the file: buffers, messages
  std::vector<Index> accepted(all.size());
  alarm(3600);  // a reader that hangs ends the test
  for (Index n = 0; n < inputs; ++n) {
    Choices c(Key{2026}.split(static_cast<std::uint64_t>(n)));
    const std::size_t which = static_cast<std::size_t>(n) % all.size();
    const Reader& reader = all[which];
    std::string file = reader.good[c.below(reader.good.size())];
    const std::string& other = reader.good[c.below(reader.good.size())];
    for (std::size_t mutations = 1 + c.below(1 + c.below(6)); mutations-- > 0;)
      file = mutated(file, other, c);
    if (c.below(2)) file = reader.repair(file);
    std::ofstream(path, std::ios::binary).write(file.data(), static_cast<std::streamsize>(file.size()));

    release_cached_memory(Device::cpu);
    asked = 0;
    counting = true;
    std::string said;
    try {
      reader.read(path);
      ++accepted[which];
    } catch (const std::runtime_error& error) { said = error.what(); } catch (const std::exception& error) {
      said = std::string("not a runtime_error: ") + error.what();
    }
    counting = false;
    INFO(reader.name << ", input " << n << ", " << file.size() << " bytes asked for " << asked << ": "
                     << said);
    if (!said.empty())
      REQUIRE((said.find(path.string()) != said.npos && said.find('\n') == said.npos &&
               said.find("not a runtime_error") == said.npos));
    REQUIRE(asked <= free_bytes + reader.per_byte * file.size());
  }
  alarm(0);
  // The mutations must reach past the first check: some inputs of every kind are still good.
  for (std::size_t i = 0; i < all.size(); ++i) {
    INFO(all[i].name);
    CHECK(accepted[i] > 0);
  }
}
