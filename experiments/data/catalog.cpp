#include "experiments/data/catalog.h"

#include <curl/curl.h>

#include <memory>

#include "experiments/data/dataset.h"
#include "experiments/data/idx.h"
#include "tensor/check.h"
#include "tensor/file.h"

namespace dale {
namespace {

namespace fs = std::filesystem;

constexpr long least_bytes_per_second = 2048;  // a modem of the last century sends more
constexpr std::size_t largest = 256 << 20;     // no published file is as large

const CatalogEntry catalog[] = {
    {"fashion-mnist",
     {"http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
      "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/"},
     {{"train-images-idx3-ubyte", "f4a8712d7a061bf5bd6d2ca38dc4d50a", ""},
      {"train-labels-idx1-ubyte", "9018921c3c673c538a1fc5bad174d6f9", ""},
      {"t10k-images-idx3-ubyte", "8181f5470baa50b63fa0f6fddb340f0a", ""},
      {"t10k-labels-idx1-ubyte", "15d484375f8d13e6eb1aabb0c3f46965", ""}}},
    {"mnist",
     {"https://ossci-datasets.s3.amazonaws.com/mnist/",
      "https://storage.googleapis.com/cvdf-datasets/mnist/"},
     {{"train-images-idx3-ubyte", "6bbc9ace898e44ae57da46a324031adb", ""},
      {"train-labels-idx1-ubyte", "a25bea736e30d166cdddb491f175f624", ""},
      {"t10k-images-idx3-ubyte", "2646ac647ad5339dbf082846283269ea", ""},
      {"t10k-labels-idx1-ubyte", "27ae3e4e09519cfbb04c329615203637", ""}}},
    {"kmnist",
     {"http://codh.rois.ac.jp/kmnist/dataset/kmnist/",
      "https://web.archive.org/web/2020id_/http://codh.rois.ac.jp/kmnist/dataset/kmnist/"},
     {{"train-images-idx3-ubyte", "", "bdb82020997e1d708af4cf47b453dcf7"},
      {"train-labels-idx1-ubyte", "", "e144d726b3acfaa3e44228e80efcd344"},
      {"t10k-images-idx3-ubyte", "bf305b8cd328700fbc17f5acbc2856d2", ""},
      {"t10k-labels-idx1-ubyte", "9f55f451c0988b028eccdf7d5cc265ab", ""}}},
    {cifar_name,
     {"https://www.cs.toronto.edu/~kriz/"},
     {{"cifar-10-binary.tar", "", "c32a1d4ab5d03f1284b67883e8d87530"}}}};

std::size_t receive(const char* bytes, std::size_t, std::size_t n, void* into) {
  std::string& body = *static_cast<std::string*>(into);
  if (body.size() + n > largest) return 0;  // ends the transfer
  body.append(bytes, n);
  return n;
}

/// The body that a URL answers with. Throws std::runtime_error with curl's reason.
std::string download(const std::string& url, long stall) {
  const std::unique_ptr<CURL, void (*)(CURL*)> curl(curl_easy_init(), curl_easy_cleanup);
  if (!curl) failed("{}: curl does not start", url);
  std::string body;
  const auto set = [&](CURLoption option, auto value) { curl_easy_setopt(curl.get(), option, value); };
  set(CURLOPT_URL, url.c_str());
  set(CURLOPT_FAILONERROR, 1L);
  set(CURLOPT_FOLLOWLOCATION, 1L);
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_CONNECTTIMEOUT, stall);
  set(CURLOPT_MAXREDIRS, 8L);
  set(CURLOPT_LOW_SPEED_LIMIT, least_bytes_per_second);
  set(CURLOPT_LOW_SPEED_TIME, stall);
  set(CURLOPT_WRITEFUNCTION, receive);
  set(CURLOPT_WRITEDATA, static_cast<void*>(&body));
  const CURLcode code = curl_easy_perform(curl.get());
  if (code != CURLE_OK) failed("{}: {}", url, curl_easy_strerror(code));
  return body;
}

/// The folder/name/stem[.gz] that is the published file, if any.
std::optional<fs::path> find_published(const std::string& name, const CatalogFile& file,
                                       const std::string& data_option) {
  for (const fs::path& folder : dataset_folders(data_option))
    if (const auto path = idx_file(folder / name, file.stem); path && is_published(*path, file)) return path;
  return std::nullopt;
}

}  // namespace

const CatalogEntry& catalog_entry(const std::string& name) { return row_named("data set", name, catalog); }

bool is_published(const fs::path& path, const CatalogFile& file) {
  try {
    return *file.contents ? md5(read_gzip(path, largest)) == file.contents
                          : md5(read_file(path)) == file.gzipped;
  } catch (const std::runtime_error&) {  // damage in the compression
    return false;
  }
}

fs::path fetch_file(const CatalogEntry& entry, const CatalogFile& file, const fs::path& folder,
                    const FetchOptions& options) {
  const fs::path path = folder / (file.stem + std::string(".gz")), part = path.string() + ".part";
  if (const auto there = idx_file(folder, file.stem))
    failed("{} is not the published file: move it away, then fetch again (it is used as it is meanwhile)",
           there->string());
  make_folder(folder);
  std::string reasons;
  for (const std::string& mirror : options.mirrors.empty() ? entry.mirrors : options.mirrors) {
    const std::string url = mirror + file.stem + ".gz";
    try {
      write_file(part, download(url, options.stall));
      if (!is_published(part, file)) failed("{}: what came is not the published file", url);
      fs::rename(part, path);
      return path;
    } catch (const std::runtime_error& error) {
      fs::remove(part);
      say("{}\n", error.what());
      reasons += (reasons.empty() ? "" : "; ") + std::string(error.what());
    }
  }
  failed("{} has no {}.gz: no mirror gave it ({}); by hand, put it there from elsewhere", folder.string(),
         file.stem, reasons);
}

void fetch_dataset(const std::string& name, const std::string& data_option, const FetchOptions& options) {
  const CatalogEntry& entry = catalog_entry(name);
  const fs::path target = dataset_folders(data_option)[0] / name;
  for (const CatalogFile& file : entry.files) {
    const auto here = find_published(name, file, data_option);
    const fs::path path = here ? *here : fetch_file(entry, file, target, options);
    fmt::print("{:<14}{}\n", name, path.string());
  }
}

std::string data_report(const std::string& data_option, bool verify, bool& sound) {
  std::string out;
  for (const CatalogEntry& entry : catalog) {
    for (const Split split : {Split::train, Split::test}) {
      const char* part = split == Split::train ? "train" : "test";
      const bool whole = entry.files.size() == 1;  // one archive with both parts
      const auto folder = whole ? find_cifar(data_option) : find_split(entry.name, data_option, split);
      out += fmt::format("{:<14}{:<6}{}\n", entry.name, part,
                         folder ? folder->string() : "not found: " + dataset_remedy(entry.name));
      if (!folder || !verify) continue;
      const SplitFiles files = split_files(split);
      for (const CatalogFile& file : entry.files) {
        if (!whole && file.stem != files.images && file.stem != files.labels) continue;
        const auto path = idx_file(*folder, file.stem);
        const bool unknown = !path || (!*file.contents && path->extension() != ".gz");
        const bool published = !unknown && is_published(*path, file);
        sound = sound && (published || unknown);
        out += fmt::format("{:20}{}: {}\n", "", path ? path->filename().string() : "what is there",
                           unknown     ? "a digest is published of the .gz file only"
                           : published ? "as published"
                                       : "NOT the published file");
      }
    }
  }
  const Dataset rain = load_rain(data_option, Split::train);
  const std::string source = rain.note.empty() ? "" : " (" + rain.note + ")";
  return out + fmt::format("{:<14}{:<6}{}{}\n", rain_name, "both", rain.folder.string(), source);
}

}  // namespace dale
