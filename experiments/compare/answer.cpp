// A sentence for each question, and in it what was found on each data set.
#include <algorithm>
#include <functional>

#include "experiments/compare/report.h"
#include "experiments/page/figure.h"

namespace dale {
namespace {

std::string joined(const std::vector<std::string>& parts) {
  std::string text;
  for (std::size_t i = 0; i < parts.size(); ++i)
    text += (i == 0 ? "" : i + 1 == parts.size() ? " and " : ", ") + parts[i];
  return text;
}

/// A paragraph: `before`, what `on` says of each data set, and `after`; nothing where it says nothing.
std::string on_each(const std::vector<CompareSet>& sets, const char* before,
                    const std::function<std::string(const CompareSet&)>& on, const char* after) {
  std::vector<std::string> found;
  for (const CompareSet& set : sets)
    if (const std::string what = on(set); !what.empty())
      found.push_back(fmt::format("{} on {}", what, set.name));
  return found.empty() ? "" : "<p>" + escape_html(before + joined(found) + after) + "</p>";
}

/// The Fréchet distance of a row, or a dash where there is none.
std::string stands(const CompareRow* row) { return row ? frechet(*row) : "–"; }

std::string against_additive(const CompareSet& set) {
  const CompareRow* gbm = find_row(set, "gbm", "probability-flow", 20);
  const CompareRow* ve = gbm ? find_row(set, "ve", "probability-flow", 20, gbm->count) : nullptr;
  return ve ? fmt::format("{} where ve reaches {} (ratio {})", frechet(*gbm), frechet(*ve),
                          str(ratio(*gbm, *ve), 2))
            : "";
}

std::string by_one_multiplication(const CompareSet& set) {
  const CompareRow *one = find_row(set, "gbm", "consistency", 1),
                   *two = find_row(set, "gbm", "consistency", 2);
  return one && two ? fmt::format("{}, with two {}", frechet(*one), frechet(*two)) : "";
}

std::string against_paper(const CompareSet& set) {
  const auto paper = std::find_if(set.rows.begin(), set.rows.end(), [](const CompareRow& row) {
    return row.process == "gbm-paper" && row.grid == "annealed";
  });
  if (paper == set.rows.end()) return "";
  if (!paper->failure.empty()) return "left the finite numbers";
  return fmt::format("stands at {} (gbm and ve at {} and {} after at most 20)", frechet(*paper),
                     stands(find_row(set, "gbm", "probability-flow", 20, paper->count)),
                     stands(find_row(set, "ve", "probability-flow", 20, paper->count)));
}

std::string by_grid(const CompareSet& set) {
  const auto uniform = std::find_if(set.rows.begin(), set.rows.end(), [](const CompareRow& row) {
    return row.process == "gbm" && row.grid == "uniform" && row.failure.empty();
  });
  if (uniform == set.rows.end()) return "";
  const auto other = [&](const char* sampler, int budget) {
    return stands(find_row(set, "gbm", sampler, budget, uniform->count));
  };
  return fmt::format(
      "{} where the uniform one gives {}, probability flow with at most 40 {} and ancestral "
      "sampling {} (n = {})",
      other("dale-langevin", uniform->budget), frechet(*uniform), other("probability-flow", 40),
      other("ancestral", uniform->budget), uniform->count);
}

}  // namespace

std::string answer(const std::vector<CompareSet>& sets) {
  return on_each(sets,
                 "With at most 20 network evaluations of the probability flow, multiplicative gbm reaches a "
                 "Fréchet distance of ",
                 against_additive, ".") +
         on_each(sets, "With one multiplication of the noise it reaches ", by_one_multiplication, ".") +
         on_each(sets, "The paper's own setting, sampled by its own sampler, ", against_paper, ".") +
         on_each(sets,
                 "Dale–Langevin on a grid of noise levels, with as many evaluations, gives a Fréchet "
                 "distance of ",
                 by_grid,
                 ": the rule is the same, but the uniform grid starts where its prior is not the law of "
                 "x_T, and its last step leaves noise.");
}

}  // namespace dale
