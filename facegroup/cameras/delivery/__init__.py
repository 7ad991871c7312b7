"""Events of the journal → receivers outside: webhooks and MQTT, at least once each, in order, resumed where they stopped."""
