// The commands of the program: each adds itself, its options and what it does to the command line.
#pragma once

#include <CLI/CLI.hpp>
#include <thread>

#include "experiments/data/dataset.h"

namespace dale {

/// What several commands share.
struct Common {
  std::string data, device = "cpu", precision = "full";
  int threads = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  std::uint64_t seed = 0;

  /// The options; those of the device where the command works on one.
  void add_to(CLI::App* command, bool on_device = false);
  /// The device asked for, ready to work in the precision asked for.
  Device machine() const;
};

/// An option that would do nothing is a mistake of whoever gave it.
void expect_absent(const CLI::App* command, const std::vector<std::string>& options, const std::string& why);

/// --shards, of what trains.
void add_shards(CLI::App* command, Index& shards);
/// --grey and --size.
void add_treatment(CLI::App* command, Treatment& how);

void add_train(CLI::App& app, Common& common);
void add_tune(CLI::App& app, Common& common);
void add_sample(CLI::App& app, Common& common);
void add_likelihood(CLI::App& app, Common& common);
/// All of them. `common` must outlive the command line.
void add_commands(CLI::App& app, Common& common);

}  // namespace dale
