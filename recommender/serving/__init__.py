"""From queries to lists with their reasons; offers and visitors that came after training."""
