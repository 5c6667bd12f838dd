// Pictures as the report finds them: files in a folder, and pictures.json, the list of them by sections.
#pragma once

#include <nlohmann/json.hpp>

#include "autograd/var.h"
#include "experiments/pictures/image.h"
#include "tensor/file.h"

namespace dale {

/// Files in a folder, and the list of them.
class Album {
 public:
  explicit Album(std::filesystem::path folder) : folder_(std::move(folder)) { make_folder(folder_); }

  void section(const std::string& heading, const std::string& html = "") {
    sections_.push_back({{"heading", heading}, {"text", html}, {"figures", nlohmann::ordered_json::array()}});
  }
  /// Images (N,1,H,W), row by row in so many columns.
  void png(const std::string& name, const Tensor& images, Index columns, const std::string& alternative,
           const std::string& caption) {
    write_png(folder_ / (name + ".png"), image_grid(images, columns, 2, 2));
    add(name + ".png", alternative, caption);
  }
  void svg(const std::string& name, const std::string& plot, const std::string& caption) {
    write_file(folder_ / (name + ".svg"), plot);
    add(name + ".svg", "", caption);
  }
  /// draw(), or where a sampler leaves the finite numbers a sentence in the figure's place.
  template <class Draw> void attempt(const std::string& what, const Draw& draw) {
    try {
      draw();
    } catch (const NotFinite& error) { add("", "", what + " failed: " + error.what()); }
  }
  const nlohmann::ordered_json& sections() const { return sections_; }

 private:
  void add(const std::string& file, const std::string& alternative, const std::string& caption) {
    sections_.back()["figures"].push_back(
        {{"file", file}, {"alternative", alternative}, {"caption", caption}});
  }

  std::filesystem::path folder_;
  nlohmann::ordered_json sections_ = nlohmann::ordered_json::array();
};

}  // namespace dale
