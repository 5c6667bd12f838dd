#include "experiments/compare.h"

#include "tensor/file.h"
#include "tensor/image.h"

namespace dale {
namespace {

struct Profile {
  std::string name;
  Index channels, steps;
};
const Profile profiles[] = {{"quick", 16, 900}, {"full", 32, 20000}};

const Profile& profile_named(const std::string& name) {
  for (const Profile& p : profiles)
    if (p.name == name) return p;
  unknown_name("profile", name, {"quick", "full"});
}

/// The samplers that make sense for a process, with their steps.
std::vector<SampleOptions> samplers_for(const Process& process, const CompareOptions& o) {
  SampleOptions flow;
  flow.seed = o.seed;
  flow.device = o.device;
  std::vector<SampleOptions> all{flow};
  if (process.multiplicative()) {
    all.push_back(flow);
    all.back().sampler = "dale-langevin";
    all.back().steps = 200;
  }
  return all;
}

/// A named set's folder in the results, and that of the user's own images.
std::string folder_of(const std::string& dataset) {
  return (std::filesystem::path(dataset) / "").parent_path().filename();
}

CompareRow run(const std::string& dataset, const std::string& process, const Profile& profile,
               const CompareOptions& o) {
  const auto folder = o.out / folder_of(dataset) / process;
  TrainOptions t;
  t.dataset = dataset;
  t.process = process;
  t.data = o.data;
  t.out = folder;
  t.steps = profile.steps;
  t.channels = profile.channels;
  t.seed = o.seed;
  t.device = o.device;
  t.resume = true;
  CompareRow row{dataset, process, train(t), {}};
  Model model = load_model(row.training.model);
  for (const SampleOptions& s : samplers_for(*model.process, o)) {
    row.samples.push_back({s, sample(model, s)});
    write_samples(folder / s.sampler, row.samples.back().result, model, s);
  }
  return row;
}

/// The first 32 images of each row's first sampler, side by side: the same noise through either chart.
Tensor side_by_side(const std::vector<const CompareRow*>& rows) {
  Vars parts;
  for (const CompareRow* row : rows) {
    const Tensor& images = row->samples[0].result.images;
    if (!parts.empty()) parts.push_back(Tensor::full({1, parts[0].dim(1), 24}, 1));
    parts.push_back(image_grid(images.slice(0, 0, std::min<Index>(32, images.dim(0))), 8, 2, 2));
  }
  return concat(parts, 2).value();
}

}  // namespace

void compare(const CompareOptions& o) {
  const Profile& profile = profile_named(o.profile);
  std::vector<std::string> present, missing;
  for (const std::string& name : o.datasets.empty() ? dataset_names() : o.datasets)
    (find_dataset(name, o.data) ? present : missing).push_back(name);
  if (present.empty() || (!o.datasets.empty() && !missing.empty()))
    load_dataset(missing[0], o.data);  // which says where it was looked for, and what to do
  make_folder(o.out);
  std::vector<CompareRow> rows;
  for (const std::string& dataset : present) {
    for (const char* process : {"gbm", "ve"}) {
      rows.push_back(run(dataset, process, profile, o));
      write_file(o.out / "report.html", report_html(o, rows, missing));
    }
    std::vector<const CompareRow*> same;
    for (const CompareRow& row : rows)
      if (row.dataset == dataset) same.push_back(&row);
    write_png(o.out / folder_of(dataset) / "side-by-side.png", side_by_side(same));
  }
  for (const std::string& name : missing)
    fmt::print("not compared: {}, which was not found (dale info says where it is looked for)\n", name);
  fmt::print("{}\n", (o.out / "report.html").string());
}

}  // namespace dale
