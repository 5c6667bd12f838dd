// The command line. Exit status: 0 done, 1 failed, 2 wrong usage; an error is one sentence on stderr.
#include "experiments/commands.h"
#include "experiments/run/model.h"
#include "experiments/run/stop.h"
#include "tensor/cpu/parallel.h"

namespace dale {
namespace {

/// The nearest option of the command that was meant, for an argument that is none.
std::string unknown_argument(const CLI::App& app) {
  const auto chosen = app.get_subcommands();
  const CLI::App& command = chosen.empty() ? app : *chosen[0];
  const std::string argument = app.remaining(true).at(0);
  std::vector<std::string> known;
  for (const CLI::Option* option : command.get_options()) known.push_back(option->get_name());
  if (chosen.empty())
    for (const CLI::App* c : app.get_subcommands([](const CLI::App*) { return true; }))
      known.push_back(c->get_name());
  try {
    unknown_name(chosen.empty() ? "command or option" : "option", argument, known);
  } catch (const std::invalid_argument& error) { return error.what(); }
}

int run(int argc, char** argv) {
  CLI::App app("dale: a diffusion model that multiplies instead of adding");
  app.set_version_flag("--version", version);
  app.require_subcommand(1);
  app.option_defaults()->always_capture_default();
  Common common;
  add_commands(app, common);
  for (CLI::App* c : app.get_subcommands([](CLI::App*) { return true; }))
    c->parse_complete_callback([&common] { set_threads(common.threads); });
  try {
    app.parse(argc, argv);
    return 0;
  } catch (const CLI::CallForHelp&) {
    fmt::print("{}", app.help());
    return 0;
  } catch (const CLI::CallForVersion&) {
    fmt::print("{}\n", version);
    return 0;
  } catch (const CLI::ExtrasError&) {
    fmt::print(stderr, "dale: {}\n", unknown_argument(app));
    return 2;
  } catch (const CLI::RequiredError& error) {
    const bool extra = app.get_subcommands().empty() && !app.remaining(true).empty();
    fmt::print(stderr, "dale: {} (dale --help lists the commands and options)\n",
               extra ? unknown_argument(app) : error.what());
    return 2;
  } catch (const CLI::ConversionError& error) {
    fmt::print(stderr, "dale: {}; expected a number\n", error.what());
    return 2;
  } catch (const CLI::ParseError& error) {
    fmt::print(stderr, "dale: {}\n", error.what());
    return 2;
  } catch (const std::invalid_argument& error) {
    fmt::print(stderr, "dale: {}\n", error.what());
    return 2;
  } catch (const Stopped& stop) {
    fmt::print(stderr, "dale: {}\n", stop.what());
    return 128 + stop.signal;
  } catch (const std::exception& error) {
    fmt::print(stderr, "dale: {}\n", error.what());
    return 1;
  }
}

}  // namespace
}  // namespace dale

int main(int argc, char** argv) { return dale::run(argc, argv); }
