require "erb"

# The weekly letter to readers who asked for it.
class Digest
  TEMPLATE = ERB.new(<<~HTML, trim_mode: "-")
    <h1>New this week</h1>
    <% books.each do |book| -%>
    <p><%= ERB::Util.html_escape(book.title) %></p>
    <% end -%>
  HTML

  def initialize(subscribers, outbox)
    @subscribers = subscribers
    @outbox = outbox
  end

  # Nobody gets two letters within six days, whatever the scheduler does.
  def deliver(books, now)
    due = @subscribers.reject { |s| s.unsubscribed? || (s.last_sent && now - s.last_sent < 6 * 86_400) }
    due.each do |subscriber|
      @outbox.push(to: subscriber.email, html: TEMPLATE.result_with_hash(books: books))
      subscriber.last_sent = now
    end
    due.size
  end

  def self.unsubscribe_token(email, key)
    OpenSSL::HMAC.hexdigest("SHA256", key, email.downcase)
  end
end
