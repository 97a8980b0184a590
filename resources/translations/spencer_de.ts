<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="de" sourcelanguage="en">
<context>
    <name>AnswersList</name>
    <message>
        <source>Answers</source>
        <translation>Antworten</translation>
    </message>
    <message>
        <source>Open in editor</source>
        <translation>Im Editor öffnen</translation>
    </message>
    <message>
        <source>Copy code</source>
        <translation>Code kopieren</translation>
    </message>
    <message>
        <source>Copy path and line</source>
        <translation>Pfad und Zeile kopieren</translation>
    </message>
    <message>
        <source>Find similar code</source>
        <translation>Ähnlichen Code finden</translation>
    </message>
    <message>
        <source>Show in file manager</source>
        <translation>Im Dateimanager zeigen</translation>
    </message>
</context>
<context>
    <name>Chips</name>
    <message>
        <source>Remove the filter {0}</source>
        <translation>Den Filter {0} entfernen</translation>
    </message>
    <message>
        <source>Remove this filter</source>
        <translation>Diesen Filter entfernen</translation>
    </message>
</context>
<context>
    <name>FindBar</name>
    <message>
        <source>Find in this file</source>
        <translation>In dieser Datei suchen</translation>
    </message>
    <message>
        <source>Previous match</source>
        <translation>Voriger Treffer</translation>
    </message>
    <message>
        <source>Next match</source>
        <translation>Nächster Treffer</translation>
    </message>
    <message>
        <source>Close</source>
        <translation>Schließen</translation>
    </message>
    <message>
        <source>not found</source>
        <translation>nicht gefunden</translation>
    </message>
    <message>
        <source>from the other end</source>
        <translation>vom anderen Ende an</translation>
    </message>
</context>
<context>
    <name>HistoryButton</name>
    <message>
        <source>History</source>
        <translation>Verlauf</translation>
    </message>
    <message>
        <source>History and saved questions</source>
        <translation>Verlauf und gespeicherte Fragen</translation>
    </message>
    <message>
        <source>Forget this question</source>
        <translation>Diese Frage vergessen</translation>
    </message>
    <message>
        <source>Save this question</source>
        <translation>Diese Frage speichern</translation>
    </message>
    <message>
        <source>Saved</source>
        <translation>Gespeichert</translation>
    </message>
    <message>
        <source>Asked</source>
        <translation>Gefragt</translation>
    </message>
    <message>
        <source>Clear history</source>
        <translation>Verlauf löschen</translation>
    </message>
</context>
<context>
    <name>IndexingBar</name>
    <message>
        <source>Progress of indexing</source>
        <translation>Fortschritt des Indizierens</translation>
    </message>
</context>
<context>
    <name>Launcher</name>
    <message>
        <source>Choose another editor in the settings.</source>
        <translation>Wählen Sie in den Einstellungen einen anderen Editor.</translation>
    </message>
    <message>
        <source>{0} cannot be started</source>
        <translation>{0} lässt sich nicht starten</translation>
    </message>
</context>
<context>
    <name>MainWindow</name>
    <message>
        <source>Pages</source>
        <translation>Seiten</translation>
    </message>
    <message>
        <source>&amp;Search</source>
        <translation>&amp;Suche</translation>
    </message>
    <message>
        <source>&amp;Repositories</source>
        <translation>&amp;Repositorys</translation>
    </message>
    <message>
        <source>&amp;Add folder…</source>
        <translation>Ordner &amp;hinzufügen …</translation>
    </message>
    <message>
        <source>Re&amp;fresh</source>
        <translation>&amp;Auffrischen</translation>
    </message>
    <message>
        <source>Se&amp;ttings…</source>
        <translation>&amp;Einstellungen …</translation>
    </message>
    <message>
        <source>A&amp;bout</source>
        <translation>Ü&amp;ber</translation>
    </message>
    <message>
        <source>&amp;Quit</source>
        <translation>&amp;Beenden</translation>
    </message>
    <message>
        <source>&amp;Folders</source>
        <translation>&amp;Ordner</translation>
    </message>
    <message>
        <source>&amp;View</source>
        <translation>&amp;Ansicht</translation>
    </message>
    <message>
        <source>&amp;Answer</source>
        <translation>A&amp;ntwort</translation>
    </message>
    <message>
        <source>&amp;Help</source>
        <translation>&amp;Hilfe</translation>
    </message>
    <message>
        <source>Some of this takes effect when the program is started again.</source>
        <translation>Manches davon gilt erst nach dem nächsten Start.</translation>
    </message>
    <message>
        <source>About</source>
        <translation>Über</translation>
    </message>
    <message>
        <source>Finds code by questions in plain language, on this machine alone.</source>
        <translation>Findet Code durch Fragen in gewöhnlicher Sprache, allein auf diesem Rechner.</translation>
    </message>
</context>
<context>
    <name>Modes</name>
    <message>
        <source>Meaning and words</source>
        <translation>Sinn und Wörter</translation>
    </message>
    <message>
        <source>Meaning</source>
        <translation>Sinn</translation>
    </message>
    <message>
        <source>Words</source>
        <translation>Wörter</translation>
    </message>
    <message>
        <source>Pattern (regex)</source>
        <translation>Muster (Regex)</translation>
    </message>
</context>
<context>
    <name>Preview</name>
    <message>
        <source>Code of the selected answer</source>
        <translation>Code der gewählten Antwort</translation>
    </message>
    <message>
        <source>Select an answer to read it here.</source>
        <translation>Wählen Sie eine Antwort, um sie hier zu lesen.</translation>
    </message>
    <message>
        <source>This code has moved since it was indexed.</source>
        <translation>Dieser Code ist seit dem Indizieren verschoben worden.</translation>
    </message>
    <message>
        <source>This code has changed since it was indexed.</source>
        <translation>Dieser Code ist seit dem Indizieren geändert worden.</translation>
    </message>
</context>
<context>
    <name>QuestionBox</name>
    <message>
        <source>Ask your code: how are redirects followed</source>
        <translation>Fragen Sie Ihren Code: how are redirects followed</translation>
    </message>
    <message>
        <source>Question</source>
        <translation>Frage</translation>
    </message>
</context>
<context>
    <name>ReportDialog</name>
    <message>
        <source>Something went wrong</source>
        <translation>Etwas ist schiefgegangen</translation>
    </message>
    <message>
        <source>This is a mistake in the program. Your files are untouched, and the index keeps what was finished; you can go on working. The report below names no contents of your files, but may name their paths.</source>
        <translation>Das ist ein Fehler im Programm. Ihre Dateien sind unberührt, und der Index behält, was fertig war; Sie können weiterarbeiten. Der Bericht unten nennt keine Inhalte Ihrer Dateien, vielleicht aber ihre Pfade.</translation>
    </message>
    <message>
        <source>Report</source>
        <translation>Bericht</translation>
    </message>
    <message>
        <source>Copy report</source>
        <translation>Bericht kopieren</translation>
    </message>
</context>
<context>
    <name>ReposView</name>
    <message>
        <source>Repository</source>
        <translation>Repository</translation>
    </message>
    <message>
        <source>State</source>
        <translation>Zustand</translation>
    </message>
    <message>
        <source>Files</source>
        <translation>Dateien</translation>
    </message>
    <message>
        <source>Pieces of code</source>
        <translation>Codestücke</translation>
    </message>
    <message>
        <source>To encode</source>
        <translation>Ausstehend</translation>
    </message>
    <message>
        <source>Left out</source>
        <translation>Ausgelassen</translation>
    </message>
    <message>
        <source>Last indexed</source>
        <translation>Zuletzt indiziert</translation>
    </message>
    <message>
        <source>Folder</source>
        <translation>Ordner</translation>
    </message>
    <message>
        <source>&amp;Add folder…</source>
        <translation>Ordner &amp;hinzufügen …</translation>
    </message>
    <message>
        <source>&amp;Refresh</source>
        <translation>&amp;Auffrischen</translation>
    </message>
    <message>
        <source>&amp;Pause</source>
        <translation>&amp;Anhalten</translation>
    </message>
    <message>
        <source>Pause a&amp;ll</source>
        <translation>A&amp;lle anhalten</translation>
    </message>
    <message>
        <source>&amp;Left out…</source>
        <translation>Aus&amp;gelassen …</translation>
    </message>
    <message>
        <source>Re&amp;move…</source>
        <translation>&amp;Entfernen …</translation>
    </message>
    <message>
        <source>Repositories</source>
        <translation>Repositorys</translation>
    </message>
    <message>
        <source>folder is missing</source>
        <translation>Ordner fehlt</translation>
    </message>
    <message>
        <source>paused</source>
        <translation>angehalten</translation>
    </message>
    <message>
        <source>being read</source>
        <translation>wird gelesen</translation>
    </message>
    <message>
        <source>being encoded</source>
        <translation>wird kodiert</translation>
    </message>
    <message>
        <source>ready</source>
        <translation>bereit</translation>
    </message>
    <message>
        <source>about {0} left</source>
        <translation>noch etwa {0}</translation>
    </message>
    <message>
        <source>Reading {0}: {1} of {2} files</source>
        <translation>Lese {0}: {1} von {2} Dateien</translation>
    </message>
    <message>
        <source>Encoding: {0} %</source>
        <translation>Kodiere: {0} %</translation>
    </message>
    <message>
        <source>{0} files/s</source>
        <translation>{0} Dateien/s</translation>
    </message>
    <message>
        <source>Waiting until the machine is plugged in (Settings, Indexing).</source>
        <translation>Wartet, bis das Gerät am Netz ist (Einstellungen, Indizieren).</translation>
    </message>
    <message>
        <source>Waiting until other programs need the processor less (Settings, Indexing).</source>
        <translation>Wartet, bis andere Programme den Prozessor weniger brauchen (Einstellungen, Indizieren).</translation>
    </message>
    <message>
        <source>Paused.</source>
        <translation>Angehalten.</translation>
    </message>
    <message>
        <source>Nothing to do.</source>
        <translation>Nichts zu tun.</translation>
    </message>
    <message>
        <source>Changes in {0} are looked for every half a minute: {1}</source>
        <translation>Nach Änderungen in {0} wird jede halbe Minute gesehen: {1}</translation>
    </message>
    <message>
        <source>&amp;Resume</source>
        <translation>&amp;Fortsetzen</translation>
    </message>
    <message>
        <source>Resume a&amp;ll</source>
        <translation>A&amp;lle fortsetzen</translation>
    </message>
    <message>
        <source>Add a folder to search</source>
        <translation>Einen Ordner hinzufügen</translation>
    </message>
    <message>
        <source>Forget {0}?</source>
        <translation>{0} vergessen?</translation>
    </message>
    <message>
        <source>Its text and vectors leave the index for good. Your files in {0} are not touched.</source>
        <translation>Sein Text und seine Vektoren verlassen den Index endgültig. Ihre Dateien in {0} bleiben unberührt.</translation>
    </message>
    <message>
        <source>Forget</source>
        <translation>Vergessen</translation>
    </message>
</context>
<context>
    <name>ResultDelegate</name>
    <message>
        <source>lines</source>
        <translation>Zeilen</translation>
    </message>
    <message>
        <source>moved</source>
        <translation>verschoben</translation>
    </message>
    <message>
        <source>changed</source>
        <translation>geändert</translation>
    </message>
    <message>
        <source>not encoded yet</source>
        <translation>noch nicht kodiert</translation>
    </message>
    <message>
        <source>meaning {0}</source>
        <translation>Sinn {0}</translation>
    </message>
    <message>
        <source>words {0}</source>
        <translation>Wörter {0}</translation>
    </message>
    <message>
        <source>read again</source>
        <translation>nachgelesen</translation>
    </message>
</context>
<context>
    <name>SearchView</name>
    <message>
        <source>How to search</source>
        <translation>Wie gesucht wird</translation>
    </message>
    <message>
        <source>Find code like the copied</source>
        <translation>Code wie den kopierten finden</translation>
    </message>
    <message>
        <source>Nothing found.</source>
        <translation>Nichts gefunden.</translation>
    </message>
    <message>
        <source>the copied code</source>
        <translation>der kopierte Code</translation>
    </message>
    <message numerus="yes">
        <source>%n like {0}</source>
        <translation>
            <numerusform>%n wie {0}</numerusform>
            <numerusform>%n wie {0}</numerusform>
        </translation>
    </message>
    <message>
        <source>, read again</source>
        <translation>, nachgelesen</translation>
    </message>
    <message numerus="yes">
        <source>%n answer(s)</source>
        <translation>
            <numerusform>%n Antwort</numerusform>
            <numerusform>%n Antworten</numerusform>
        </translation>
    </message>
    <message>
        <source>Probably nothing here answers this.</source>
        <translation>Wahrscheinlich ist hier keine Antwort dabei.</translation>
    </message>
</context>
<context>
    <name>Settings</name>
    <message>
        <source>Larger files are skipped, in MiB.</source>
        <translation>Größere Dateien werden ausgelassen.</translation>
    </message>
    <message>
        <source>Index vendored and build folders too.</source>
        <translation>Auch fremden Code und Ordner mit Gebautem indizieren.</translation>
    </message>
    <message>
        <source>Index generated files, such as lock files and compiled protocols, too.</source>
        <translation>Auch erzeugte Dateien wie Lockfiles und übersetzte Protokolle indizieren.</translation>
    </message>
    <message>
        <source>What else is left out of every folder: patterns as in .gitignore, with blanks between them.</source>
        <translation>Was sonst aus jedem Ordner ausgelassen wird: Muster wie in .gitignore, mit Leerzeichen dazwischen.</translation>
    </message>
    <message>
        <source>Index only while the machine is plugged in.</source>
        <translation>Nur indizieren, solange das Gerät am Netz ist.</translation>
    </message>
    <message>
        <source>Wait while others take more of the processor than so many percent; 0 means never.</source>
        <translation>Warten, solange andere Programme mehr als so viel Prozent des Prozessors belegen; 0 heißt nie.</translation>
    </message>
    <message>
        <source>A file that takes longer to parse is indexed as plain lines.</source>
        <translation>Was länger braucht, wird zeilenweise indiziert.</translation>
    </message>
    <message>
        <source>How the window searches unless the question says.</source>
        <translation>Wie gesucht wird, wenn die Frage nichts anderes sagt.</translation>
    </message>
    <message>
        <source>How many answers the window shows.</source>
        <translation>Wie viele Antworten gezeigt werden.</translation>
    </message>
    <message>
        <source>How many of the best answers the re-ranker reads; 0 means what the pack advises.</source>
        <translation>Wie viele der besten Antworten nachgelesen werden; 0: wie das Paket rät.</translation>
    </message>
    <message>
        <source>Where the models run.</source>
        <translation>Wo die Modelle rechnen.</translation>
    </message>
    <message>
        <source>Threads for the models; 0 means one for each core.</source>
        <translation>Threads der Modelle; 0: einer je Kern.</translation>
    </message>
    <message>
        <source>What opens an answer.</source>
        <translation>Womit eine Antwort geöffnet wird.</translation>
    </message>
    <message>
        <source>The command for the editor custom, such as: myeditor {path}:{line}.</source>
        <translation>Der Befehl für den eigenen Editor, etwa: myeditor {path}:{line}.</translation>
    </message>
    <message>
        <source>Light, dark, or as the system has it.</source>
        <translation>Hell, dunkel oder wie das System.</translation>
    </message>
    <message>
        <source>The font of code; empty means the system&apos;s fixed one.</source>
        <translation>Leer: die Festbreitenschrift des Systems.</translation>
    </message>
    <message>
        <source>Its size in points; 0 means the system&apos;s.</source>
        <translation>In Punkt; 0: wie das System.</translation>
    </message>
    <message>
        <source>The window&apos;s language.</source>
        <translation>Die Sprache des Fensters.</translation>
    </message>
    <message>
        <source>Show an icon in the system tray, and stay there when closed.</source>
        <translation>Ein Symbol im Infobereich zeigen und dort bleiben, wenn das Fenster geschlossen wird.</translation>
    </message>
</context>
<context>
    <name>SettingsDialog</name>
    <message>
        <source>Settings</source>
        <translation>Einstellungen</translation>
    </message>
    <message>
        <source>not loaded yet</source>
        <translation>noch nicht geladen</translation>
    </message>
    <message>
        <source>Pack in use</source>
        <translation>Modellpaket</translation>
    </message>
    <message>
        <source>Running</source>
        <translation>Läuft</translation>
    </message>
    <message>
        <source>Pack folder</source>
        <translation>Ordner des Pakets</translation>
    </message>
    <message>
        <source>Indexing</source>
        <translation>Indizieren</translation>
    </message>
    <message>
        <source>Search</source>
        <translation>Suche</translation>
    </message>
    <message>
        <source>Models</source>
        <translation>Modelle</translation>
    </message>
    <message>
        <source>Editor</source>
        <translation>Editor</translation>
    </message>
    <message>
        <source>Appearance</source>
        <translation>Aussehen</translation>
    </message>
    <message>
        <source>Largest file (MiB)</source>
        <translation>Größte Datei (MiB)</translation>
    </message>
    <message>
        <source>Vendored and build folders</source>
        <translation>Fremder Code und Gebautes</translation>
    </message>
    <message>
        <source>Generated files</source>
        <translation>Erzeugte Dateien</translation>
    </message>
    <message>
        <source>Left out</source>
        <translation>Ausgelassen</translation>
    </message>
    <message>
        <source>Pause on battery</source>
        <translation>Im Akkubetrieb anhalten</translation>
    </message>
    <message>
        <source>Pause under load</source>
        <translation>Unter Last anhalten</translation>
    </message>
    <message>
        <source>Seconds to parse a file</source>
        <translation>Sekunden je Datei</translation>
    </message>
    <message>
        <source>Search by</source>
        <translation>Suchen nach</translation>
    </message>
    <message>
        <source>Answers</source>
        <translation>Antworten</translation>
    </message>
    <message>
        <source>Answers read again</source>
        <translation>Nachgelesene Antworten</translation>
    </message>
    <message>
        <source>Device</source>
        <translation>Gerät</translation>
    </message>
    <message>
        <source>Threads</source>
        <translation>Threads</translation>
    </message>
    <message>
        <source>Editor command</source>
        <translation>Befehl des Editors</translation>
    </message>
    <message>
        <source>Theme</source>
        <translation>Farben</translation>
    </message>
    <message>
        <source>Font of code</source>
        <translation>Schrift des Codes</translation>
    </message>
    <message>
        <source>Size of code</source>
        <translation>Größe des Codes</translation>
    </message>
    <message>
        <source>Language</source>
        <translation>Sprache</translation>
    </message>
    <message>
        <source>System tray</source>
        <translation>Infobereich</translation>
    </message>
    <message>
        <source>GPU if there is one, else CPU</source>
        <translation>GPU, wenn vorhanden, sonst CPU</translation>
    </message>
    <message>
        <source>As the system</source>
        <translation>Wie das System</translation>
    </message>
    <message>
        <source>Light</source>
        <translation>Hell</translation>
    </message>
    <message>
        <source>Dark</source>
        <translation>Dunkel</translation>
    </message>
    <message>
        <source>The first that is installed</source>
        <translation>Der erste, der installiert ist</translation>
    </message>
    <message>
        <source>What the system opens it with</source>
        <translation>Womit das System öffnet</translation>
    </message>
    <message>
        <source>A command of your own</source>
        <translation>Ein eigener Befehl</translation>
    </message>
</context>
<context>
    <name>SkippedDialog</name>
    <message>
        <source>Left out of {0}</source>
        <translation>Ausgelassen aus {0}</translation>
    </message>
    <message>
        <source>Path</source>
        <translation>Pfad</translation>
    </message>
    <message>
        <source>Why</source>
        <translation>Warum</translation>
    </message>
    <message>
        <source>Filter</source>
        <translation>Filter</translation>
    </message>
    <message>
        <source>A line &quot;!name&quot; in .spencerignore brings a path back; secrets stay out.</source>
        <translation>Eine Zeile &quot;!name&quot; in .spencerignore holt einen Pfad zurück; Geheimnisse bleiben draußen.</translation>
    </message>
</context>
<context>
    <name>Tray</name>
    <message>
        <source>Show the window</source>
        <translation>Fenster zeigen</translation>
    </message>
    <message>
        <source>Pause indexing</source>
        <translation>Indizieren anhalten</translation>
    </message>
    <message>
        <source>Quit</source>
        <translation>Beenden</translation>
    </message>
    <message>
        <source>SPENCER, indexing: {0} %</source>
        <translation>SPENCER, indiziert: {0} %</translation>
    </message>
    <message>
        <source>Resume indexing</source>
        <translation>Indizieren fortsetzen</translation>
    </message>
</context>
<context>
    <name>Welcome</name>
    <message>
        <source>Ask your own code a question</source>
        <translation>Stellen Sie Ihrem Code eine Frage</translation>
    </message>
    <message>
        <source>Add a folder…</source>
        <translation>Ordner hinzufügen …</translation>
    </message>
    <message>
        <source>or drop one anywhere in this window</source>
        <translation>oder ziehen Sie einen in dieses Fenster</translation>
    </message>
    <message>
        <source>Try one of these:</source>
        <translation>Versuchen Sie eine von diesen:</translation>
    </message>
    <message>
        <source>In plain language. Everything stays on this machine: no account, no server, no network.</source>
        <translation>In gewöhnlicher Sprache. Alles bleibt auf diesem Rechner: kein Konto, kein Server, kein Netz.</translation>
    </message>
    <message numerus="yes">
        <source>%n folder(s) can be searched. Type above, or</source>
        <translation>
            <numerusform>%n Ordner kann durchsucht werden. Tippen Sie oben, oder</numerusform>
            <numerusform>%n Ordner können durchsucht werden. Tippen Sie oben, oder</numerusform>
        </translation>
    </message>
    <message>
        <source>Then ask, for example:</source>
        <translation>Fragen Sie dann zum Beispiel:</translation>
    </message>
    <message>
        <source>try one of these:</source>
        <translation>versuchen Sie eine von diesen:</translation>
    </message>
    <message>
        <source>Model pack {0}, {1}</source>
        <translation>Modellpaket {0}, {1}</translation>
    </message>
</context>
</TS>
