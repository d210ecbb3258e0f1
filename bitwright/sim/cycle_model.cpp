// The C interface of the cycle model's kernel.

#include "event_run.h"

extern "C" {

// actors: (kind, events) each. edges: (source, target, capacity, latency, beats) each. events: for each event of each
// actor in turn, need and release of each input, produce of each output, and the firings that it stands for.
// pace: the source gives no frame before cycle frame * pace, and the run ends, without its times, when that is too fast.
// gaps: one for each input beat, or null. waits: for each sink in turn the cycles to wait at each place of its mask, of
// `wait_lengths` places (0: always ready). input_accepted, output_accepted: results, the sinks one after another.
// totals: for each actor (cycles stalled, last firing). blocked: for each actor (edge it waits for or -1, frame, firing).
// found: (frames evaluated, period or 0, shift). slots: `asked` edges, in their place the slots of them in use together.
// Returns 0, or 1 for a deadlock.
int64_t cycle_model_evaluate(int64_t actor_count, const int64_t *actors, const int32_t *events, int64_t pace,
                             int64_t edge_count, const int64_t *edges, int64_t input_edge, int64_t frames,
                             const int64_t *gaps, const int64_t *waits, const int64_t *wait_lengths,
                             int64_t find_period, int64_t *input_accepted, int64_t *output_accepted, int64_t *totals,
                             int64_t *blocked, int64_t *found, int64_t asked, int64_t *slots) {
    Evaluator model;
    model.frames = frames;
    model.gaps = gaps;
    model.pace = pace;
    model.find_period = find_period != 0;
    model.actors.resize(actor_count);
    model.edges.resize(edge_count);
    model.wait_for_ready.assign(actor_count, nullptr);
    model.mask_length.assign(actor_count, 1);
    model.accepted.assign(actor_count, nullptr);
    for (int64_t e = 0; e < edge_count; e++) {
        Edge &edge = model.edges[e];
        const int64_t *fields = edges + 5 * e;
        edge.source = fields[0];
        edge.target = fields[1];
        edge.capacity = fields[2];
        edge.latency = fields[3];
        edge.beats = fields[4];
        edge.produce_time.resize(edge.capacity);
        edge.release_time.resize(edge.capacity, -1);
        edge.output = model.actors[edge.source].outputs.size();
        edge.input = model.actors[edge.target].inputs.size();
        model.actors[edge.source].outputs.push_back(e);
        model.actors[edge.target].inputs.push_back(e);
    }
    model.edges[input_edge].accepted = input_accepted;
    for (int64_t a = 0; a < actor_count; a++) {
        Actor &actor = model.actors[a];
        actor.kind = actors[2 * a];
        actor.firings = actors[2 * a + 1];
        actor.stride = 2 * actor.inputs.size() + actor.outputs.size() + 1;
        actor.events = events;
        events += actor.firings * actor.stride;
        if (find_period) {
            // Not set to 0: of a short run most pages are never touched.
            actor.history.reset(new Time[(kMaxPeriod + 1) * actor.firings]);
            actor.twins.resize(kMaxPeriod + 1);
            Evaluator::begin_row(actor);
        }
        if (actor.kind == kSink) {
            if (*wait_lengths > 0) {
                model.wait_for_ready[a] = waits;
                model.mask_length[a] = *wait_lengths;
                waits += *wait_lengths;
            }
            wait_lengths++;
            model.accepted[a] = output_accepted;
            output_accepted += frames * actor.firings;
        }
    }
    const bool complete = model.run();
    found[0] = model.simulated;
    found[1] = model.period;
    found[2] = model.shift;
    for (int64_t a = 0; a < actor_count; a++) {
        const Actor &actor = model.actors[a];
        blocked[3 * a] = actor.waits_for;
        blocked[3 * a + 1] = actor.frame;
        blocked[3 * a + 2] = actor.firing;
    }
    if (!complete) return 1;
    for (int64_t i = 0; i < asked; i++) slots[i] = model.used_slots(model.edges[slots[i]]);
    model.extend(input_accepted, model.edges[input_edge].beats);
    for (int64_t a = 0; a < actor_count; a++) {
        Actor &actor = model.actors[a];
        if (model.accepted[a]) model.extend(model.accepted[a], actor.firings);
        actor.stalled_by_frame.resize(frames);
        actor.last_by_frame.resize(frames);
        for (int64_t f = model.simulated; f < frames; f++) {
            actor.stalled_by_frame[f] = actor.stalled_by_frame[f - model.period];
            actor.last_by_frame[f] = actor.last_by_frame[f - model.period] + model.shift;
        }
        int64_t stalled = 0;
        for (int64_t of_frame : actor.stalled_by_frame) stalled += of_frame;
        totals[2 * a] = stalled;
        totals[2 * a + 1] = actor.last_by_frame.back();
    }
    return 0;
}
}
