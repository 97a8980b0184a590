package shipping;

import java.util.ArrayDeque;
import java.util.Comparator;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;

/** Which depots a parcel passes on its way. */
public final class RoutePlanner {
    private final Map<String, Map<String, Integer>> kilometres = new HashMap<>();

    public void connect(String from, String to, int distance) {
        kilometres.computeIfAbsent(from, k -> new HashMap<>()).put(to, distance);
        kilometres.computeIfAbsent(to, k -> new HashMap<>()).put(from, distance);
    }

    /** The stops with the least distance in all, both ends included; empty where there is no way. */
    public List<String> cheapestPath(String start, String goal) {
        Map<String, Integer> best = new HashMap<>(Map.of(start, 0));
        Map<String, String> previous = new HashMap<>();
        PriorityQueue<Map.Entry<String, Integer>> open = new PriorityQueue<>(Comparator.comparing(Map.Entry::getValue));
        open.add(Map.entry(start, 0));
        while (!open.isEmpty()) {
            Map.Entry<String, Integer> here = open.poll();
            if (here.getKey().equals(goal)) {
                return backtrack(previous, goal);
            }
            if (here.getValue() > best.get(here.getKey())) {
                continue;
            }
            for (Map.Entry<String, Integer> road : kilometres.getOrDefault(here.getKey(), Map.of()).entrySet()) {
                int length = here.getValue() + road.getValue();
                if (length < best.getOrDefault(road.getKey(), Integer.MAX_VALUE)) {
                    best.put(road.getKey(), length);
                    previous.put(road.getKey(), here.getKey());
                    open.add(Map.entry(road.getKey(), length));
                }
            }
        }
        return List.of();
    }

    private static List<String> backtrack(Map<String, String> previous, String goal) {
        Deque<String> stops = new ArrayDeque<>();
        for (String stop = goal; stop != null; stop = previous.get(stop)) {
            stops.addFirst(stop);
        }
        return List.copyOf(stops);
    }
}
